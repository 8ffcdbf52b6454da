"""Texts taken apart and put together again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swcm_fairseq.serving.documents import read_html, read_text


def fits(text):
    return len(text) <= 20


def test_lines_are_translated_and_all_else_stays():
    text = "\n  one two\r\n\n\tthree. Four five six seven.\u2028 \u200b "
    document = read_text(text, fits)
    assert document.sentences == ["one two", "three.", "Four five six seven."]
    assert document.join(["1", "2", "3"], " ") == "\n  1\r\n\n\t2 3\u2028 \u200b "
    assert document.join(["1", "2", "3"], "") == "\n  1\r\n\n\t23\u2028 \u200b "


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_a_text_of_lines_that_fit_is_itself_again(text):
    document = read_text(text, lambda _: True)
    assert document.join(document.sentences, " ") == text
    assert all(sentence == sentence.strip() and sentence for sentence in document.sentences)


@pytest.mark.parametrize(
    "html, sentences",
    [
        ("<p>one <b>two</b></p>", ["one", "two"]),
        ("a &lt; b &amp; c", ["a < b & c"]),
        ("<p>one\n   two</p>", ["one two"]),
        ("<pre>one\n  two</pre>", ["one", "two"]),
        ("<script>if (a < b) {}</script><style>p {}</style>one", ["one"]),
        ("<code>a <b>c</b></code> one <kbd>x</kbd>", ["one"]),
        ('<p translate="no">no <i>no</p> one', ["one"]),
        ('<div translate="no"><div>no</div>no</div>one', ["one"]),
        ("<!DOCTYPE html><!-- no --><img alt='no'><br/>one<?php no ?>", ["one"]),
        ("<a href='?a=1&b=2'>one</a>", ["one"]),
        ("1 < 2", ["1 < 2"]),
        ("</p>one</code> two", ["one", "two"]),
        ("<![;>one", ["one"]),
        ("<![;", ["<![;"]),
    ],
)
def test_only_text_is_taken_out_of_html(html, sentences):
    document = read_html(html, lambda _: True)
    assert document.sentences == sentences


def test_html_stays_but_for_its_text():
    html = "<!DOCTYPE html>\n<p class='a'>\n one\n two <b>three</b><br/> &amp;</p>\n<script>a < b</script><!-- c -->"
    document = read_html(html, lambda _: True)
    want = "<!DOCTYPE html>\n<p class='a'>\n <1> <b>&lt;&gt;</b><br/> &amp;</p>\n<script>a < b</script><!-- c -->"
    assert document.join(["<1>", "<>", "&"], " ") == want.replace("<1>", "&lt;1&gt;")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="<>/!-?&;[]\"'= apre\n", max_size=40))
def test_broken_html_is_read_to_its_end(html):
    document = read_html(html, fits)
    document.join(document.sentences, " ")
