"""LibreTranslate's API, as its clients see it."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.serving import Echo, running, wait_until


@pytest.fixture(scope="module")
def echo():
    return Echo()


@pytest.fixture(scope="module")
def server(echo):
    with running(echo, max_chars=500, slow=2.0) as server:
        yield server


def translate(server, q="打开文件", **more):
    return server.post("/translate", {"q": q, "source": "zh", "target": "kk", **more})


def expected(echo, text, target="kk", **options):
    return echo.translate([text], target=target, **options)[0]


def test_a_text_a_list_and_every_kind_of_body(server, echo):
    want = expected(echo, "打开文件")
    assert translate(server).json() == {"translatedText": want}
    assert translate(server, ["打开文件", "学校"]).json() == {"translatedText": [want, expected(echo, "学校")]}
    fields = {"q": "打开文件", "source": "zh", "target": "kk", "api_key": "abc"}
    assert server.form("/translate", fields).json() == {"translatedText": want}
    assert server.form("/translate", {**fields, "q": ["打开文件", "学校"]}).json()["translatedText"][0] == want
    plain = "q=打开文件&source=zh&target=kk".encode()
    kind = "application/x-www-form-urlencoded"
    assert server.ask("POST", "/translate", plain, Content_Type=kind).json() == {"translatedText": want}
    assert server.ask("POST", "/translate?q=%E6%89%93%E5%BC%80%E6%96%87%E4%BB%B6&source=zh&target=kk").json() == {
        "translatedText": want
    }
    parts = "".join(
        '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'.format(*field) for field in fields.items()
    )
    kind = "multipart/form-data; boundary=x"
    found = server.ask("POST", "/translate", (parts + "--x--\r\n").encode(), Content_Type=kind)
    assert found.json() == {"translatedText": want}


def test_the_target_is_the_one_that_was_asked_for(server, echo):
    for code in ("ug", "UG", "ug-Arab"):
        assert translate(server, target=code).status == 200
        assert echo.tags_seen[-1] == "[ug]"


def test_languages(server):
    assert server.ask("GET", "/languages").json() == [
        {"code": "zh", "name": "Chinese", "targets": ["kk", "ug"]},
        {"code": "kk", "name": "Kazakh", "targets": []},
        {"code": "ug", "name": "Uyghur", "targets": []},
    ]


def test_the_source_is_found_out_and_said(server):
    found = translate(server, "打开文件", source="auto").json()
    assert found["detectedLanguage"] == {"language": "zh", "confidence": 100.0}
    found = translate(server, ["打开文件", "学校"], source="auto").json()
    assert [one["language"] for one in found["detectedLanguage"]] == ["zh", "zh"]
    assert server.form("/detect", {"q": "Бүгін ауа райы жақсы"}).json()[0]["language"] == "kk"
    assert server.form("/detect", {"q": "123"}).json()[0]["confidence"] == 0


def test_alternatives_are_further_texts_and_no_more_than_the_beam_finds(server, echo):
    best, *others = echo.translate(["打开文件"], target="kk", n_best=3)[0]
    found = translate(server, alternatives=2).json()
    assert found == {"translatedText": best, "alternatives": others}
    assert len(translate(server, alternatives=10**6).json()["alternatives"]) == 4
    assert translate(server, alternatives=-3).json()["translatedText"] == best
    listed = translate(server, ["打开文件", "学校"], alternatives="1").json()["alternatives"]
    assert [len(some) for some in listed] == [1, 1]


def test_lines_blank_lines_and_indentation_stay(server, echo):
    text = "打开文件\n\n  学校\r\n \t \n今天天气很好"
    parts = [expected(echo, part) for part in ("打开文件", "学校", "今天天气很好")]
    want = "{}\n\n  {}\r\n \t \n{}".format(*parts)
    assert translate(server, text).json()["translatedText"] == want
    assert translate(server, " \n\n ").json()["translatedText"] == " \n\n "


def test_a_long_line_is_translated_in_parts(echo):
    with running(echo, max_pieces=8) as server:
        text = "今天天气很好。我们去山上看羊。请打开文件。"
        found = translate(server, text, details=True).json()
        sources = [one["source"] for one in found["details"]["sentences"]]
        assert "".join(sources) == text and len(sources) > 1
        assert found["translatedText"] == " ".join(expected(echo, source) for source in sources)


def test_a_bad_line_costs_only_itself(server, echo):
    found = translate(server, "打开文件\n7\n学校").json()
    assert found["translatedText"] == "{}\n\n{}".format(expected(echo, "打开文件"), expected(echo, "学校"))
    assert found["problems"] == [{"text": 0, "sentence": "7", "error": "no sevens"}]
    alone = translate(server, "7")
    assert (alone.status, alone.json()) == (500, {"error": "Cannot translate text: no sevens"})


def test_html_keeps_its_tags_and_escapes_what_it_writes(server, echo):
    html = '<p title="学校">打开文件<br/> &amp; <code>x&lt;y</code><!-- 学校 --></p>'
    found = translate(server, html, format="html", alternatives=1).json()
    want = '<p title="学校">{}<br/> {} <code>x&lt;y</code><!-- 学校 --></p>'
    assert found["translatedText"] == want.format(expected(echo, "打开文件"), expected(echo, "&").replace("&", "&amp;"))
    assert found["alternatives"] == []


def test_details_are_pieces_scores_attention_and_doubt(server, echo):
    found = translate(server, "打开文件", details=True, alternatives=1).json()["details"]
    (sentence,) = found["sentences"]
    assert sentence["pieces"] == echo.pieces.cut(["打开文件"])[0] + ["</s>"]
    assert [one["score"] for one in sentence["outputs"]] == [-1.0, -2.0]
    assert len(sentence["attention"]) == len(sentence["outputs"][0]["pieces"])
    assert all(len(row) == len(sentence["pieces"]) for row in sentence["attention"])
    assert found["doubt"] == "script"  # Chinese, backwards
    assert "details" not in translate(server, "打开文件").json()


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"q": None}, "missing q parameter"),
        ({"q": ""}, "missing q parameter"),
        ({"q": []}, "missing q parameter"),
        ({"q": {"a": 1}}, "neither a text nor a list"),
        ({"q": ["a", 1]}, "neither a text nor a list"),
        ({"source": None}, "missing source parameter"),
        ({"target": ""}, "missing target parameter"),
        ({"target": ["kk"]}, "target parameter is no text"),
        ({"source": "en"}, "en is not supported"),
        ({"target": "xx"}, "xx is not supported"),
        ({"target": "zh"}, "zh is not supported"),
        ({"source": "kk"}, "kk is not supported"),
        ({"format": "pdf"}, "pdf format is not supported"),
        ({"alternatives": "many"}, "alternatives parameter is not a number"),
        ({"q": "a" * 501}, r"request \(501\) exceeds text limit \(500\)"),
        ({"q": ["a"] * 1001}, r"request \(1001\) exceeds text limit \(1000\)"),
    ],
)
def test_what_is_wrong_is_said_with_400(server, fields, words):
    found = translate(server, **fields)
    assert found.status == 400 and list(found.json()) == ["error"]
    assert re.search(words, found.json()["error"])


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff\xfe", b"[" * 5000, b'"text"', b""])
def test_malformed_json_is_400(server, body):
    found = server.ask("POST", "/translate", body, Content_Type="application/json")
    assert found.status == 400 and found.json() == {"error": "Invalid JSON format"}


def test_wrong_methods_and_places(server):
    for method, path in (("GET", "/translate"), ("PUT", "/translate"), ("POST", "/languages"), ("DELETE", "/")):
        found = server.ask(method, path)
        assert found.status == 405 and found.headers["allow"] and found.json() == {"error": "Method Not Allowed"}
    assert server.ask("GET", "/nothing").status == 404
    for path in ("/suggest", "/translate_file"):
        found = server.form(path, {"q": "a"})
        assert found.status == 403 and "does not offer" in found.json()["error"]


def test_any_text_that_json_can_hold_is_answered(server):
    for text in ("\ud800", "a\0b", "\u202e\u2066", "﷽" * 20, "👩‍👩‍👧" * 10, "</s> [kk] <mask>", "\ufeff"):
        found = translate(server, text, details=True)
        assert found.status == 200, text.encode("unicode-escape")


def test_what_clients_ask_before_they_translate(server):
    settings = server.ask("GET", "/frontend/settings").json()
    assert settings["charLimit"] == 500 and not settings["keyRequired"]
    assert settings["language"]["target"] == {"code": "kk", "name": "Kazakh"}
    spec = server.ask("GET", "/spec").json()
    assert spec["swagger"] == "2.0" and "/translate" in spec["paths"]
    assert server.ask("GET", "/health").json() == {"status": "ok"}
    assert server.ask("GET", "/languages", Origin="http://localhost:9").headers["access-control-allow-origin"] == "*"


def test_requests_of_many_clients_are_decoded_together(echo):
    with running(echo, batch_size=16) as server:
        echo.batches.clear()
        echo.held.clear()
        with ThreadPoolExecutor(40) as pool:
            asked = [pool.submit(translate, server, "打开文件" * (n % 5 + 1)) for n in range(40)]
            wait_until(lambda: server.batcher.sentences >= 24)
            echo.held.set()
            texts = [one.result().json()["translatedText"] for one in asked]
        assert texts == [expected(echo, "打开文件" * (n % 5 + 1)) for n in range(40)]
        assert max(echo.batches) == 16 and sum(echo.batches[:-40]) == 40


def test_a_full_house_says_429_and_when_to_come_again(echo):
    with running(echo, queue=3) as server:
        echo.held.clear()
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(translate, server) for _ in range(3)]
            wait_until(lambda: server.metrics.requests_waiting._value.get() == 3)
            refused = translate(server)
            assert refused.status == 429 and 1 <= int(refused.headers["retry-after"]) <= 60
            assert refused.json()["error"].startswith("Slowdown")
            assert server.ask("GET", "/health").status == 200
            echo.held.set()
            assert [one.result().status for one in asked] == [200] * 3
        assert translate(server).status == 200


def test_no_answer_in_time_is_503(echo):
    with running(echo, timeout=0.3) as server:
        echo.held.clear()
        try:
            blocked = threading.Thread(target=translate, args=(server, "学校"))
            before = echo.begun
            blocked.start()
            wait_until(lambda: echo.begun == before + 1)
            found = translate(server)
            assert found.status == 503 and "0.3 seconds" in found.json()["error"] and found.headers["retry-after"]
            assert server.batcher.sentences == 0  # nobody waits for it, so it will not be decoded
        finally:
            echo.held.set()
        blocked.join()


def test_metrics_count_answers_batches_and_memory(server):
    translate(server)
    found = server.ask("GET", "/metrics")
    assert found.headers["content-type"].startswith("text/plain")
    text = found.body.decode()
    assert 'swcm_answers_total{path="/translate",status="200"}' in text
    assert 'swcm_answers_total{path="other",status="404"}' in text
    assert 'swcm_sentences_total{target="kk"}' in text
    assert "swcm_batch_sentences_bucket" in text and "process_resident_memory_bytes" in text
