"""The page of ``swcm-serve`` in a real browser: what a person types, reads and reaches by keyboard."""

import contextlib
import json

import pytest

from swcm_fairseq.decoding.hypotheses import Hypothesis
from tests.support.serving import Echo, running, wait_until
from tests.support.webdriver import browser

QUEUE = 8
EVIL = "<img src=http://example.org/x.png onerror=console.error(1)>"
SAYS = {
    "打开文件": "Файлды ашу",
    "学校": "Мектеп",
    "慢": "Баяу",
    "快": "Тез",
    "PDF": "PDF ھۆججىتى",
    "蒙": "ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ",
    "无": "Жоқ",
    "错": "Open the file now, please",
    EVIL: EVIL,
}


class Phrases(Echo):
    """Knows a few phrases; each piece it writes looks at one piece of the source above all."""

    def hypotheses(self, sentences, **options):
        found = super().hypotheses(sentences, **options)
        told = []
        for text, some in zip(sentences, found):
            words = SAYS[text].split()
            columns = len(self.pieces.cut([text])[0]) + 1
            rows = [[0.9 if place == row % columns else 0.0 for place in range(columns)] for row in range(len(words))]
            pieces = ["\u2581" + word for word in words]
            versions = [(SAYS[text] + "!" * n, one.score) for n, one in enumerate(some)]
            seen = None if text == "无" else rows  # some engines do not say
            told.append([Hypothesis(version, score, pieces, seen) for version, score in versions])
        return told


@pytest.fixture(scope="module")
def model():
    return Phrases(targets=("kk", "ug", "mn"), tags=("[zh]", "[kk]", "[ug]", "[mn]"))


@pytest.fixture(scope="module")
def server(model):
    with running(model, max_chars=1000, queue=QUEUE) as server:
        yield server


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture
def page(window, server):
    """The page, just opened; in the end nobody else was asked and the console is empty."""
    window.open("about:blank")
    window.console()
    window.requests()
    window.open(server.url + "/")
    window.wait("return document.querySelectorAll('#target option').length")
    yield window
    assert [line for line in window.console() if not line.startswith("INFO")] == []
    asked = [url for url in window.requests() if url != "data:,"]
    assert asked and all(url.startswith(server.url + "/") for url in asked)


def translated(page, *texts):
    expected = json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
    shown = "[...document.querySelectorAll('#output:not(.old) .line')].map(line => line.textContent)"
    page.wait(f"return JSON.stringify({shown}) === {json.dumps(expected)}")


def fill(page, words):
    script = "const t = document.getElementById('text'); t.value = arguments[0]; t.dispatchEvent(new Event('input'))"
    page.run(script, words)


def choose(page, code):
    script = "const t = document.getElementById('target'); t.value = arguments[0]; t.dispatchEvent(new Event('change'))"
    page.run(script, code)


def test_text_out_as_text_goes_in(page):
    assert page.run("return document.activeElement.id") == "text"
    page.type("#text", "打开文件\n\n学校")
    translated(page, "Файлды ашу", "", "Мектеп")
    assert page.run("return document.getElementById('status').textContent").startswith("Translated in")
    page.type("#text", "\n打开文件")
    translated(page, "Файлды ашу", "", "Мектеп", "Файлды ашу")


def test_only_what_is_new_is_asked_for(page, model):
    page.type("#text", "打开文件")
    translated(page, "Файлды ашу")
    before = len(model.batches)
    page.type("#text", "\n学校\n打开文件")
    translated(page, "Файлды ашу", "Мектеп", "Файлды ашу")
    assert model.batches[before:] == [1]


def test_a_stale_answer_is_dropped_and_its_request_given_up(page, model, server):
    watch = "new MutationObserver(() => seen.push(arguments[0].innerText)).observe(arguments[0], {childList: true})"
    page.run("window.seen = []; (function () { %s })(document.getElementById('output'))" % watch)
    begun, gone = model.begun, server.metrics.gone._value.get()
    model.held.clear()
    try:
        page.type("#text", "慢")
        wait_until(lambda: model.begun == begun + 1)
        fill(page, "快")
        wait_until(lambda: server.metrics.gone._value.get() == gone + 1)
    finally:
        model.held.set()
    translated(page, "Тез")
    assert page.run("return window.seen") == ["Тез"]


def test_pieces_shade_the_source_they_looked_at(page):
    page.type("#text", "打开文件")
    translated(page, "Файлды ашу")
    shades = "return [...document.querySelectorAll('.piece.read')].map(s => s.style.getPropertyValue('--weight'))"
    colours = "return [...document.querySelectorAll('.piece.read')].map(s => getComputedStyle(s).backgroundColor)"
    page.hover(".piece.written:nth-child(2)")
    weights = page.run(shades)
    assert len(weights) > 2 and [place for place, weight in enumerate(weights) if weight == "1"] == [1]
    assert len(set(page.run(colours))) == 2
    assert page.run("return document.querySelector('.piece.read.most').title") == "90 %"
    assert page.run("return [...document.querySelectorAll('.outputs li')].length") == 5
    assert page.run("return document.querySelector('.score').textContent") == "\u22121.00"


def test_an_engine_that_gives_no_attention_is_said_to(page):
    page.type("#text", "无")
    translated(page, "Жоқ")
    page.hover(".piece.written")
    assert "this engine does not say where it looked" in page.run("return document.getElementById('inside').innerText")
    assert page.run("return document.querySelectorAll('.piece.read.most').length") == 0


def test_all_of_it_by_keyboard(page):
    page.type("#text", "打开文件\n学校")
    translated(page, "Файлды ашу", "Мектеп")
    focus = "return document.activeElement.id || document.activeElement.className"
    page.press("tab", "tab")
    assert page.run(focus) == "copy"
    page.press("tab")
    assert page.run("return document.activeElement.textContent") == "Файлды ашу"
    page.press("down")
    assert page.run("return document.activeElement.getAttribute('aria-selected')") == "true"
    assert page.run("return document.querySelector('.outputs li').firstChild.textContent") == "Мектеп"
    page.press("tab")
    assert page.run(focus).startswith("piece written")
    assert "looked at" in page.run("return document.activeElement.getAttribute('aria-label')")
    assert page.run("return document.querySelectorAll('.piece.read.most').length") > 0


def test_everything_that_can_be_reached_has_a_name(page):
    page.type("#text", "打开文件")
    translated(page, "Файлды ашу")
    nodes = page.command("Accessibility.getFullAXTree")["nodes"]
    roles = {}
    for node in nodes:
        role = node.get("role", {}).get("value")
        if role in ("textbox", "combobox", "button", "listbox", "option", "group", "MenuListPopup"):
            roles.setdefault(role, []).append(node.get("name", {}).get("value"))
    assert {"textbox", "combobox", "button", "listbox", "option"} <= set(roles)
    for role, names in roles.items():
        assert role == "MenuListPopup" or all(names), (role, names)


def test_right_to_left_by_the_language_even_behind_a_latin_name(page):
    page.type("#text", "PDF")
    choose(page, "ug")
    translated(page, "PDF ھۆججىتى")
    line = "const s = getComputedStyle(document.querySelector('.line')); return [s.direction, s.writingMode]"
    assert page.run(line) == ["rtl", "horizontal-tb"]
    assert page.run("return document.querySelector('.line').lang") == "ug"
    page.run("document.querySelector('.piece.written').focus()")
    page.press("left")
    assert page.run("return document.activeElement.textContent") == "\u00b7ھۆججىتى"


def test_traditional_mongolian_stands_upright(page):
    page.type("#text", "蒙\n蒙")
    choose(page, "mn")
    translated(page, SAYS["蒙"], SAYS["蒙"])
    assert page.run("return getComputedStyle(document.querySelector('.line')).writingMode") == "vertical-lr"
    places = page.run("return [...document.querySelectorAll('.line')].map(l => l.getBoundingClientRect().toJSON())")
    assert places[0]["top"] == places[1]["top"] and places[0]["right"] <= places[1]["left"]
    assert places[0]["height"] > 2 * places[0]["width"]


def test_a_doubtful_language_is_said(page):
    page.type("#text", "错")
    translated(page, SAYS["错"])
    words = page.run("return document.querySelector('#inside .warning').textContent")
    assert words == "Doubtful: this may not be Kazakh; it is in another script."
    assert page.run("return document.querySelectorAll('.line.doubtful').length") == 1


def test_text_is_never_markup(page):
    page.type("#text", EVIL)
    translated(page, EVIL)
    assert page.run("return document.images.length") == 0


def test_the_policy_stops_what_a_text_might_bring_in(window, server):
    """The last line of defence, were there a hole in the page: nothing inline runs, nothing outside is asked."""
    window.open(server.url + "/")
    window.console()
    window.requests()
    window.run("document.body.insertAdjacentHTML('beforeend', '<img src=http://example.org/x.png onerror=done()>')")
    window.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'let holed = 1'}))")
    window.wait("return true")
    assert window.run("return typeof holed") == "undefined"
    said = " ".join(window.console())
    assert "Content Security Policy" in said and "img-src" in said and "script-src" in said


def test_a_busy_server_is_asked_again(page, model, server):
    with contextlib.ExitStack() as house:
        for _ in range(QUEUE):
            house.enter_context(server.batcher.admitted())
        page.type("#text", "学校\n打开文件")
        page.wait("return /busy; trying again in 1 s/.test(document.getElementById('status').textContent)")
    translated(page, "Мектеп", "Файлды ашу")
    # What the browser itself says about the answer.
    assert all("429" in line for line in page.console())


def test_too_much_text_is_an_error_that_is_seen(page):
    page.run(
        "const t = document.getElementById('text'); t.value = '学'.repeat(1001); t.dispatchEvent(new Event('input'))"
    )
    page.wait("return !document.getElementById('trouble').hidden")
    assert "exceeds text limit" in page.run("return document.getElementById('trouble').textContent")
    assert all("400" in line for line in page.console())


def test_the_page_is_whole_in_itself(server):
    answer = server.ask("GET", "/")
    html = answer.body.decode("utf-8")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "connect-src 'self'" in policy
    assert "http" not in html.replace("http-equiv", "") and "url(" not in html and "innerHTML" not in html
