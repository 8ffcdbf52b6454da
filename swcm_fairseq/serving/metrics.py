"""Numbers about a running server, for Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

#: The media type of what ``Metrics.text`` gives.
MEDIA_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """One server's numbers."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # memory, processor time, open files

        def one(kind, name, words, labels=(), **options):
            return kind("swcm_" + name, words, labels, registry=self._registry, **options)

        self.answers = one(Counter, "answers", "Requests that were answered", ("path", "status"))
        self.seconds = one(Histogram, "answer_seconds", "Seconds to an answer", ("path",), buckets=_SECONDS)
        self.requests_waiting = one(Gauge, "requests_waiting", "Requests to translate that are in the house")
        self.sentences_waiting = one(Gauge, "sentences_waiting", "Sentences that wait to be decoded")
        self.failures = one(Counter, "failures", "Sentences that could not be translated")
        self.gone = one(Counter, "gone", "Requests whose clients did not wait for the answer")
        self._sentences = one(Counter, "sentences", "Sentences that were decoded", ("target",))
        self._batches = one(Histogram, "batch_sentences", "Sentences that were decoded together", buckets=_SIZES)
        self._busy = one(Counter, "decoding_seconds", "Seconds spent in decoding")

    def decoded(self, target: str, sentences: int, seconds: float) -> None:
        """Count a batch."""
        self._sentences.labels(target).inc(sentences)
        self._batches.observe(sentences)
        self._busy.inc(seconds)

    def text(self) -> bytes:
        """All of them as Prometheus reads them."""
        return generate_latest(self._registry)


class Counted:
    """An ASGI application whose answers are counted by path and status.

    Args:
        paths: those that get a row of their own.
    """

    def __init__(self, app, metrics: Metrics, paths) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = frozenset(paths)

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self._paths else "other"
        started = time.monotonic()
        status = "none"  # where the client went before

        async def watched(message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.answers.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.monotonic() - started)
