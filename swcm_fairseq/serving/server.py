"""The server itself: uvicorn, with clocks for clients that dawdle and an end that loses no answer."""

import contextlib
import json
import math
import signal
import socket
import threading
from typing import Any, Callable

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import SwcmError
from .batching import Batcher
from .settings import Settings

_BACKLOG = 2048  # connections that the system keeps until they are taken
_LOOK_AGAIN = 0.2  # seconds in which a client that has gone is found out


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, that

    - ends a connection whose next request's head does not come whole within ``slow`` seconds, and one whose client
      takes nothing of an answer in that time;
    - answers a client that has closed its sending side only;
    - words what it refuses as everything else here is.
    """

    slow = 10.0

    def connection_made(self, transport) -> None:
        self._clock: Any = None  # runs while a head is waited for
        self._taking: Any = None  # runs while an answer is stuck
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, error) -> None:
        self._stop()
        self.resume_writing()
        super().connection_lost(error)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking = self.loop.call_later(self.slow, self._end_if_stuck, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _end_if_stuck(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= before:
            self.transport.abort()
        else:
            self._taking = self.loop.call_later(self.slow, self._end_if_stuck, left)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._waits_for_a_head() and self.conn.trailing_data[0]:
            self._watch()  # a part of the next request is here already

    def eof_received(self) -> bool:  # type: ignore[override]
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            return False  # it has nothing to wait for
        self.cycle.keep_alive = False
        # It may have closed both sides: then an interim answer, which others pass over, has it say so.
        if self.scope["http_version"] == "1.1" and not self.cycle.response_started:
            self.transport.write(self.conn.send(h11.InformationalResponse(status_code=100, headers=[])))
            self.loop.call_later(_LOOK_AGAIN, self._end_if_gone)
        return True

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _waits_for_a_head(self) -> bool:
        return self.conn.their_state is h11.IDLE and not self.transport.is_closing()

    def _watch(self) -> None:
        if not self._waits_for_a_head():
            self._stop()
        elif self._clock is None:
            self._clock = self.loop.call_later(self.slow, self._out_of_time)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _out_of_time(self) -> None:
        self._clock = None
        if not self._waits_for_a_head():
            return
        if self.conn.trailing_data[0]:
            self._refuse(408, f"the request did not come within {self.slow:g} seconds")
        else:
            self.transport.close()

    def _refuse(self, status: int, words: str) -> None:
        body = json.dumps({"error": words}).encode("ascii")
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
        with contextlib.suppress(h11.LocalProtocolError):
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event))
        self.transport.close()

    def _end_if_gone(self) -> None:
        if self.transport.is_closing():
            return
        if self.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.transport.abort()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any free one.

    Raises:
        SwcmError: there is no such address, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SwcmError(f"{host} is no address to listen at: {error}")
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise SwcmError(f"cannot listen at {host}, port {port}: {error.strerror}; --port chooses another")
    return bound


def make_server(application: Callable, settings: Settings) -> uvicorn.Server:
    """A server for ``serve``; it ends when its ``should_exit`` is set."""
    config = uvicorn.Config(
        application,
        http=type("Protocol", (Protocol,), {"slow": settings.slow}),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=math.ceil(settings.slow),
        timeout_graceful_shutdown=math.ceil(settings.timeout + settings.slow),
    )
    return uvicorn.Server(config)


def serve(server: uvicorn.Server, batcher: Batcher, bound: socket.socket, settings: Settings) -> None:
    """Answer until SIGTERM or Ctrl-C comes; then answer what is in the house, and return."""
    if threading.current_thread() is threading.main_thread():
        # uvicorn takes the signals while it runs, and raises them once more at its end: there they are done with.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
    batcher.start()
    server.run(sockets=[bound])
    batcher.close(timeout=settings.slow)
