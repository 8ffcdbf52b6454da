"""A server in the test's own process, over a model that is made up, and requests of any shape to it."""

import contextlib
import http.client
import json
import socket
import threading
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional
from urllib.parse import urlencode

from swcm_fairseq.decoding.hypotheses import BaseTranslator, Search, Written
from swcm_fairseq.serving.api import Api
from swcm_fairseq.serving.batching import Batcher
from swcm_fairseq.serving.metrics import Metrics
from swcm_fairseq.serving.server import listen, make_server, serve
from swcm_fairseq.serving.settings import Settings
from swcm_fairseq.vocabulary.pieces import Pieces
from tests.support.tiny_encoder import train_sentencepiece

SECONDS = 60  # after which a test has failed


class Echo(BaseTranslator):
    """Writes what it reads, backwards, and keeps account of it.

    Attributes:
        batches: how many sentences were decoded together, each time.
        begun: how many batches it has begun.
        held: cleared, it has decoding wait until it is set.
    """

    def __init__(self, targets=("kk", "ug"), tags=("[zh]", "[kk]", "[ug]"), max_source=80):
        from sentencepiece import SentencePieceProcessor

        pieces = Pieces(SentencePieceProcessor(model_proto=train_sentencepiece()))
        super().__init__(pieces, targets, tags, max_source)
        self.batches: List[int] = []
        self.tags_seen: List[str] = []
        self.begun = 0
        self.held = threading.Event()
        self.held.set()

    def decode(self, sources: List[List[str]], tag: str, search: Search) -> List[List[Written]]:
        self.begun += 1
        assert self.held.wait(SECONDS)
        self.batches.append(len(sources))
        self.tags_seen.append(tag)
        if any("7" in "".join(source) for source in sources):
            raise RuntimeError("no sevens")
        found = []
        for source in sources:
            turned = list(reversed(source))
            rows = [[1 / (len(source) + 1)] * (len(source) + 1) for _ in turned] if search.attention else None
            found.append([Written(turned + ["!"] * n, -1.0 - n, rows) for n in range(search.n_best)])
        return found


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body.decode("utf-8"))


class Running(NamedTuple):
    """A server, and how to ask it."""

    port: int
    server: Any
    batcher: Optional[Batcher] = None
    metrics: Optional[Metrics] = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request; names of ``headers`` have _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body or None, named)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def post(self, path: str, fields: Any) -> Answer:
        """JSON."""
        return self.ask("POST", path, json.dumps(fields).encode("ascii"), Content_Type="application/json")

    def form(self, path: str, fields: Any) -> Answer:
        """A form."""
        kind = "application/x-www-form-urlencoded"
        return self.ask("POST", path, urlencode(fields, doseq=True).encode("ascii"), Content_Type=kind)

    def raw(self, *parts: bytes, half_close: bool = False, pause: float = 0.0) -> bytes:
        """All that the server says to bytes sent in ``parts``, until it closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as sock:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    sock.sendall(part)
                    time.sleep(pause)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            found = b""
            with contextlib.suppress(ConnectionError):
                while True:
                    part = sock.recv(65536)
                    if not part:
                        break
                    found += part
            return found


@contextlib.contextmanager
def running(translator: BaseTranslator, **settings: Any) -> Iterator[Running]:
    """A server at a free port, until the block ends."""
    chosen = Settings(**settings)
    metrics = Metrics()
    batcher = Batcher(translator, chosen, metrics)
    server = make_server(Api(translator, batcher, metrics, chosen).application(), chosen)
    bound = listen("127.0.0.1", 0)
    thread = threading.Thread(target=serve, args=(server, batcher, bound, chosen), daemon=True)
    thread.start()
    try:
        yield Running(bound.getsockname()[1], server, batcher, metrics)
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        bound.close()
        assert not thread.is_alive() and not batcher.alive


def wait_until(condition) -> None:
    """Return when ``condition()`` holds; it must within seconds."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
