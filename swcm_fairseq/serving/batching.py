"""Sentences of many requests, decoded together by one thread that owns the model."""

import contextlib
import logging
import math
import threading
import time
from concurrent.futures import Future
from typing import Dict, Iterator, List, NamedTuple, Sequence

from ..decoding.hypotheses import BaseTranslator, Hypothesis
from .metrics import Metrics
from .settings import Settings

logger = logging.getLogger(__name__)

_LONGEST_RETRY = 60  # seconds
_NEWEST = 0.2  # weight of the newest batch in the time that a sentence takes


class Full(Exception):
    """No room for another request.

    Attributes:
        retry_after: seconds after which there may be some.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full; try again in {retry_after} seconds")
        self.retry_after = retry_after


class Job(NamedTuple):
    """One sentence of one request."""

    text: str
    target: str
    n_best: int
    attention: bool
    arrived: float
    result: "Future[List[Hypothesis]]"


class Batcher:
    """Decodes what it is given, oldest first, together with what else waits for the same target language.

    A sentence waits ``settings.batch_wait`` seconds at most for others to come while the model is idle.
    """

    def __init__(self, translator: BaseTranslator, settings: Settings, metrics: Metrics) -> None:
        self._translator = translator
        self._settings = settings
        self._metrics = metrics
        self._requests = 0
        self._seconds_a_sentence = 0.05
        self._changed = threading.Condition()
        # Of each target the jobs that wait, oldest first, under the identity of their result.
        self._waiting: Dict[str, Dict[int, Job]] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether something decodes."""
        return self._thread.is_alive()

    @property
    def sentences(self) -> int:
        """How many sentences wait."""
        return sum(len(jobs) for jobs in list(self._waiting.values()))

    def start(self) -> None:
        """Begin to decode."""
        self._thread.start()

    def close(self, timeout: float) -> None:
        """Decode what waits, and end; give up after ``timeout`` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """Be one of the requests in the house until the block ends; for the event loop's thread alone.

        Raises:
            Full: there are as many as may be.
        """
        if self._requests >= self._settings.queue:
            wait = math.ceil(self._seconds_a_sentence * max(1, self.sentences))
            raise Full(max(1, min(_LONGEST_RETRY, wait)))
        self._requests += 1
        self._metrics.requests_waiting.set(self._requests)
        try:
            yield
        finally:
            self._requests -= 1
            self._metrics.requests_waiting.set(self._requests)

    def submit(self, texts: Sequence[str], target: str, n_best: int, attention: bool) -> "List[Future]":
        """Have ``texts`` decoded; each result is a list of hypotheses, best first, or its own error."""
        now = time.monotonic()
        jobs = [Job(text, target, n_best, attention, now, Future()) for text in texts]
        with self._changed:
            self._waiting.setdefault(target, {}).update((id(job.result), job) for job in jobs)
            self._changed.notify()
        return [job.result for job in jobs]

    def forget(self, results: "Sequence[Future]") -> None:
        """Nobody waits for ``results`` any more: those that are not being decoded yet never will be."""
        with self._changed:
            for result in results:
                for jobs in self._waiting.values():
                    jobs.pop(id(result), None)
                result.cancel()

    def _run(self) -> None:
        while True:
            jobs = self._next()
            if not jobs:
                return
            self._decode([job for job in jobs if job.result.set_running_or_notify_cancel()])

    def _next(self) -> List[Job]:
        """What to decode next; nothing when there will be nothing any more."""
        size = self._settings.batch_size
        with self._changed:
            while True:
                queues = [jobs for jobs in self._waiting.values() if jobs]
                if not queues:
                    if self._closing:
                        return []
                    self._changed.wait()
                    continue
                # The one that has waited longest says which language is next.
                jobs = min(queues, key=lambda queue: next(iter(queue.values())).arrived)
                left = next(iter(jobs.values())).arrived + self._settings.batch_wait - time.monotonic()
                if len(jobs) >= size or left <= 0 or self._closing:
                    return [jobs.pop(name) for name in list(jobs)[:size]]
                self._changed.wait(left)

    def _decode(self, jobs: List[Job]) -> None:
        if not jobs:
            return
        started = time.monotonic()
        try:
            found = self._translator.hypotheses(
                [job.text for job in jobs],
                target=jobs[0].target,
                beam=self._settings.beam,
                max_len=self._settings.max_len,
                n_best=max(job.n_best for job in jobs),
                batch_size=len(jobs),
                attention=any(job.attention for job in jobs),
            )
        except Exception as error:
            if len(jobs) > 1:
                # One of them is to blame; the others shall not pay for it.
                for job in jobs:
                    self._decode([job])
                return
            logger.warning("a sentence could not be translated: %s: %s", type(error).__name__, error)
            self._metrics.failures.inc()
            jobs[0].result.set_exception(error)
            return
        seconds = time.monotonic() - started
        self._metrics.decoded(jobs[0].target, len(jobs), seconds)
        self._seconds_a_sentence += _NEWEST * (seconds / len(jobs) - self._seconds_a_sentence)
        for job, hypotheses in zip(jobs, found):
            job.result.set_result(hypotheses[: job.n_best])
