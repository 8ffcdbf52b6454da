"""Clients that send too much, too little, too slowly, or go away; and the server's own end."""

import socket
import struct
import threading
import time

import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.serving.server import listen
from tests.support.serving import Echo, running, wait_until

SLOW = 0.5
HEAD = b"POST /translate HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
FORM = b"q=abc&source=zh&target=kk"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(FORM) + FORM
CLOSING = WHOLE.replace(b"Host: a\r\n", b"Host: a\r\nConnection: close\r\n")


@pytest.fixture(scope="module")
def echo():
    return Echo()


@pytest.fixture(scope="module")
def server(echo):
    with running(echo, slow=SLOW, max_chars=1000, timeout=10) as server:
        yield server
        # Whatever the tests did to it, it answers.
        assert server.raw(CLOSING).startswith(b"HTTP/1.1 200")


def seconds(call, *arguments, **options):
    started = time.monotonic()
    return call(*arguments, **options), time.monotonic() - started


def test_a_head_that_dawdles_ends_with_408(server):
    """Slowloris: every byte comes, but the head never ends."""
    found, took = seconds(server.raw, *[b"GET / HTTP/1.1\r\n"] + [b"A: b\r\n"] * 40, pause=SLOW / 10)
    assert found.startswith(b"HTTP/1.1 408") and b'{"error"' in found
    assert SLOW * 0.9 < took < SLOW * 8


def test_the_clock_starts_again_with_the_next_request_of_a_connection(server):
    found, took = seconds(server.raw, WHOLE, *[b"GET / HTTP/1.1\r\n"] + [b"A: b\r\n"] * 40, pause=SLOW / 10)
    assert found.startswith(b"HTTP/1.1 200") and b"HTTP/1.1 408" in found and took < SLOW * 8


def test_a_part_of_the_next_request_that_came_with_this_one_has_a_clock_too(server):
    found, took = seconds(server.raw, WHOLE + b"GET /")
    assert found.startswith(b"HTTP/1.1 200") and b"HTTP/1.1 408" in found and took < SLOW * 8


def test_a_body_that_dawdles_ends_with_408(server):
    found, took = seconds(server.raw, HEAD + b"Content-Length: 500\r\n\r\n", *[b"q"] * 40, pause=SLOW / 10)
    assert found.startswith(b"HTTP/1.1 408") and took < SLOW * 8


def test_who_says_nothing_is_let_go(server):
    found, took = seconds(server.raw)
    assert found == b"" and took < SLOW * 8


def test_too_large_a_body_is_413_whether_it_says_so_or_not(server):
    assert server.form("/translate", {"q": "a" * 200_000}).status == 413
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    found = server.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 8, b"0\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 413") and b'{"error"' in found
    # One that asks first need not send it.
    found = server.raw(HEAD + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 413")
    # Endless: it is not read for ever.
    found = server.raw(HEAD + b"Content-Length: 9999999999\r\n\r\n", *[b"a" * 100_000] * 40)
    assert found == b"" or found.startswith(b"HTTP/1.1 413")


def test_a_head_that_is_too_large_or_none_is_400(server):
    for head in (b"GET / HTTP/1.1\r\nA: " + b"b" * 100_000 + b"\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET\r\n\r\n"):
        found = server.raw(head)
        assert found.startswith(b"HTTP/1.1 400") and b'{"error"' in found
    assert server.raw(HEAD + b"Content-Length: -5\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_one_that_has_only_closed_its_sending_side_is_answered(server, echo):
    found = server.raw(WHOLE, half_close=True)
    assert b"HTTP/1.1 200" in found and found.endswith(b"}")
    old = WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert server.raw(old, half_close=True).startswith(b"HTTP/1.1 200")
    # Half a request is none, and is not waited for.
    found, took = seconds(server.raw, WHOLE[:-3], half_close=True)
    assert b"200" not in found and took < SLOW


@pytest.mark.parametrize("reset", [False, True])
def test_nothing_is_decoded_for_a_client_that_has_gone(echo, reset):
    with running(echo, timeout=10) as server:
        echo.held.clear()
        before = echo.begun
        waiting = threading.Thread(target=server.raw, args=(CLOSING,))
        waiting.start()
        wait_until(lambda: echo.begun == before + 1)
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(WHOLE)
            wait_until(lambda: server.batcher.sentences == 1)
        wait_until(lambda: server.batcher.sentences == 0)
        wait_until(lambda: server.metrics.requests_waiting._value.get() == 1)
        assert server.metrics.gone._value.get() == 1
        echo.held.set()
        waiting.join()


def test_one_that_does_not_take_its_answer_is_let_go(echo):
    class Much(Echo):
        def decode(self, sources, tag, search):
            return [
                [one._replace(pieces=["a" * 300_000]) for one in some] for some in super().decode(sources, tag, search)
            ]

    with running(Much(), slow=SLOW, timeout=10) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            body = "q={}&source=zh&target=kk".format("%0A".join("abcdefghijklmnopqrst")).encode()
            sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            wait_until(lambda: server.server.server_state.connections)
            wait_until(lambda: not server.server.server_state.connections)


def test_what_is_in_the_house_is_answered_before_the_end(echo):
    answers = []
    with running(echo, timeout=10) as server:
        echo.held.clear()
        asked = [threading.Thread(target=lambda: answers.append(server.raw(WHOLE))) for _ in range(5)]
        for thread in asked:
            thread.start()
        wait_until(lambda: server.metrics.requests_waiting._value.get() == 5)
        server.server.should_exit = True
        time.sleep(0.3)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=1).sendall(b"GET / HTTP/1.1\r\n\r\n")
            raise OSError  # taken by the system alone
        echo.held.set()
        for thread in asked:
            thread.join()
    assert len(answers) == 5 and all(answer.startswith(b"HTTP/1.1 200") for answer in answers)


def test_a_port_that_is_taken_and_an_address_that_is_none():
    with listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(SwcmError, match=f"cannot listen at 127.0.0.1, port {port}: .*--port"):
            listen("127.0.0.1", port)
    with pytest.raises(SwcmError, match="no address to listen at"):
        listen("no address", 80)
