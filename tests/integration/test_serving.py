"""``swcm-serve`` as it is run: over a packed model, asked by a client of LibreTranslate, stopped and killed."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

import swcm_fairseq
from swcm_fairseq.decoding.packing import pack
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.serving.command import main
from tests.support.serving import Running
from tests.support.toy import toy_checkpoint

TEXTS = ["打开文件", "今天天气很好", "学校", "请打开文件，然后保存到新的文件夹。", "我的朋友"]
BEAM, LONGEST = 2, 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a model")
    pack(toy_checkpoint(folder, lang_pairs="zh-kk,zh-mn"), str(folder / "packed"))
    return str(folder / "packed")


@contextlib.contextmanager
def serving(repo, folder, port=0, **options):
    """The command, until the block ends; yields its process and where it listens."""
    command = [sys.executable, "-m", "swcm_fairseq.serving.command", folder, "--port", str(port)]
    command += ["--beam", str(BEAM), "--max-len", str(LONGEST)]
    command += [word for name, value in options.items() for word in ("--" + name.replace("_", "-"), str(value))]
    environment = dict(os.environ, PYTHONPATH=str(repo))
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, encoding="utf-8")
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            found = re.match(r"serving .* at http://127\.0\.0\.1:(\d+)$", line)
            if found:
                break
        else:
            pytest.fail("".join(said), pytrace=False)
        # What it says later must not fill the pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield process, Running(int(found.group(1)), None)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server(repo, folder):
    with serving(repo, folder) as (_, server):
        yield server


@pytest.fixture(scope="module")
def translated(folder):
    texts = swcm_fairseq.from_pretrained(folder).translate(TEXTS, target="kk", beam=BEAM, max_len=LONGEST)
    return dict(zip(TEXTS, texts))


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the client itself wants it")
def test_a_client_of_libretranslate_talks_to_it_unchanged(server, translated):
    from libretranslatepy import LibreTranslateAPI

    client = LibreTranslateAPI(server.url + "/", api_key="abc")
    assert client.translate(TEXTS[0], "zh", "kk") == translated[TEXTS[0]]
    assert client.translate(TEXTS[1], "auto", "kk", timeout=30) == translated[TEXTS[1]]
    assert client.detect(TEXTS[1])[0]["language"] == "zh"
    assert {"code": "zh", "name": "Chinese", "targets": ["kk", "mn"]} in client.languages()


def test_200_requests_at_once_get_what_translate_gives(server, translated):
    answers = [None] * 200

    def ask(number):
        fields = {"q": TEXTS[number % len(TEXTS)], "source": "zh", "target": "kk"}
        answers[number] = server.post("/translate", fields).json()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"translatedText": translated[TEXTS[number % len(TEXTS)]]} for number in range(200)]
    sizes = re.search(r"swcm_batch_sentences_count (\S+)", server.ask("GET", "/metrics").body.decode())
    assert float(sizes.group(1)) < 150  # so they were decoded together


def test_it_listens_to_this_machine_alone(server):
    import socket

    hosts = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for host in hosts - {"127.0.0.1"}:
        if not host.startswith("127."):
            with pytest.raises(OSError):
                socket.create_connection((host, server.port), timeout=2)
    # 127.0.0.2 is this machine too, and another address.
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", server.port), timeout=2)


def test_a_killed_one_starts_again_and_sigterm_answers_what_is_in_the_house(repo, folder, translated):
    with serving(repo, folder) as (process, server):
        process.kill()
        process.wait()
    with serving(repo, folder, port=server.port, batch_size=1) as (process, server):
        answers = []
        fields = {"q": "\n".join(TEXTS * 4), "source": "zh", "target": "kk"}
        asking = [threading.Thread(target=lambda: answers.append(server.post("/translate", fields))) for _ in range(3)]
        for thread in asking:
            thread.start()
        metrics = ""
        while "swcm_requests_waiting 3.0" not in metrics:
            metrics = server.ask("GET", "/metrics").body.decode()
            assert not answers
        process.send_signal(signal.SIGTERM)
        for thread in asking:
            thread.join()
        assert process.wait(30) == 0
        want = "\n".join([translated[text] for text in TEXTS] * 4)
        assert [answer.json() for answer in answers] == [{"translatedText": want}] * 3


@pytest.mark.parametrize("wrong", [["--beam", "0"], ["--timeout", "-1"], ["--backend", "none"], ["--port", "x"]])
def test_wrong_usage(folder, wrong):
    with pytest.raises(SystemExit) as ended:
        main([folder, *wrong])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "flags, words",
    [
        (["{folder}/none"], "is no folder of swcm-pack"),
        (["{folder}", "--source", "qqq"], "unknown language 'qqq'"),
        (["{folder}", "--backend", "ct2"], "make one for ct2 with swcm-export"),
        (["{folder}", "--host", "no address"], "no address to listen at"),
    ],
)
def test_what_cannot_be_served_is_one_error(folder, flags, words):
    with pytest.raises(SwcmError, match=words):
        main([flag.format(folder=folder) for flag in flags] + ["--port", "0"])


def test_without_the_extra_it_says_what_to_install(run, folder, tmp_path):
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError('No module', name='uvicorn')")
    command = ["python", "-m", "swcm_fairseq.serving.command"]
    environment = {"PYTHONPATH": str(tmp_path)}
    assert "--threads" in run([*command, "--help"], env=environment).stdout
    done = run([*command, folder, "--port", "0"], env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: swcm-serve wants uvicorn: pip install 'swcm-fairseq[serve]'\n"


def test_help_and_other_engines_wait_for_no_torch(run):
    program = "import sys, swcm_fairseq.serving.{}; sys.exit('torch' in sys.modules or 'fairseq' in sys.modules)"
    for module in ("command", "api"):
        run(["python", "-c", program.format(module)], quick=False)


@pytest.mark.slow
def test_the_benchmark_counts_every_request(run, repo, folder, tmp_path):
    (tmp_path / "text").write_text("".join(text + "\n" for text in TEXTS), encoding="utf-8")
    script = repo / "recipes" / "benchmark" / "serving.py"
    flags = ["--to", "kk", "--at-once", "6", "--flood", "12", "--queue", "2", "--serve=--max-len 200"]
    said = run(["python", script, folder, tmp_path / "text", *flags]).stdout
    assert "as translate() gives: 6 of 6" in said and "{200: 6}" in said
    assert "{200: 2, 429: 10}" in said and "with Retry-After: 10" in said
    assert said.count("ended with 0") == 2 and said.count("then it answers with 200") == 2
