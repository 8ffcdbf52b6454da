"""LibreTranslate's API over one model, as a Starlette application; ``/translate`` can say more than LibreTranslate's.

With ``details``, ``/translate`` also gives for every text whether its output's language is doubtful, and for every
sentence its pieces, scores, alternatives and attention: what the page shows.
"""

import asyncio
import functools
import logging
from concurrent.futures import Future
from typing import Any, Callable, Dict, List, Sequence, Set, Union

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..decoding.hypotheses import BaseTranslator, Hypothesis
from ..languages import language
from ..scoring.language_identification import Recognizer
from ..vocabulary.symbols import EOS
from .batching import Batcher, Full
from .catalogue import Catalogue
from .detection import Detected, Detector
from .documents import Document, read_html, read_text
from .metrics import MEDIA_TYPE, Counted, Metrics
from .page import page_response
from .parameters import Ask, Bodies, ask_of, read_parameters, text_of
from .settings import Settings
from .spec import specification

logger = logging.getLogger(__name__)

#: What decoding gave for a sentence: its hypotheses, or why there are none.
Result = Union[List[Hypothesis], BaseException]

_MONTH = 30 * 24 * 3600  # seconds


class Api:
    """All answers of one server."""

    def __init__(self, translator: BaseTranslator, batcher: Batcher, metrics: Metrics, settings: Settings) -> None:
        self._pieces = translator.pieces
        self._batcher = batcher
        self._metrics = metrics
        self._settings = settings
        self._bodies = Bodies(settings)
        self.catalogue = Catalogue(translator, settings.sources)
        self._detector = Detector(self.catalogue.sources)
        self._every = Detector([entry["code"] for entry in self.catalogue.listing()])
        self._fits = translator.fits(settings.max_pieces)

    def application(self) -> Callable:
        """The ASGI application."""
        get, post = ["GET"], ["POST"]
        routes = [
            Route("/", self.page, methods=get),
            Route("/translate", self.translate, methods=post),
            Route("/detect", self.detect, methods=post),
            Route("/languages", self.languages, methods=get),
            Route("/frontend/settings", self.frontend_settings, methods=get),
            Route("/spec", self.spec, methods=get),
            Route("/health", self.health, methods=get),
            Route("/metrics", self.metrics, methods=get),
            Route("/suggest", self.not_here, methods=post),
            Route("/translate_file", self.not_here, methods=post),
        ]
        # As LibreTranslate's: pages of other origins may ask too. Nothing here is secret, and nothing can be changed.
        cors = Middleware(
            CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"], max_age=_MONTH
        )
        handlers: Dict[Any, Any] = {HTTPException: _refused, Full: _full, Exception: _broken}
        application = Starlette(routes=routes, middleware=[cors], exception_handlers=handlers)
        return Counted(application, self._metrics, [route.path for route in routes])

    async def translate(self, request: Request) -> Response:
        """``/translate``."""
        ask = ask_of(await read_parameters(request, self._bodies), self._settings)
        target = self.catalogue.target(ask.target)
        auto = ask.source.strip().lower() == "auto"
        source = None if auto else self.catalogue.source(ask.source)
        if source is None and not auto:
            raise HTTPException(400, f"{ask.source:.40} is not supported")
        if target is None:
            raise HTTPException(400, f"{ask.target:.40} is not supported")
        if source == target:
            name = language(target).name
            words = f"{name} ({target}) is not available as a target language from {name} ({target})"
            raise HTTPException(400, words)
        with self._batcher.admitted():
            detected = None
            if source is None:
                detected = (await run_in_threadpool(self._detector.detect, "\n".join(ask.texts)))[0]
            documents = await run_in_threadpool(self._read, ask)
            sentences = [sentence for document in documents for sentence in document.sentences]
            n_best = min(self._settings.beam, ask.alternatives + 1)
            results = await self._in_time(request, self._batcher.submit(sentences, target, n_best, ask.details))
            broken = [_words(one) for one in results if isinstance(one, BaseException)]
            if broken and len(broken) == len(results):
                raise HTTPException(500, f"Cannot translate text: {broken[0]:.200}")
            answer = await run_in_threadpool(self._answer, ask, target, documents, results, detected)
            return JSONResponse(answer)

    def _read(self, ask: Ask) -> List[Document]:
        read = read_html if ask.html else read_text
        return [read(text, self._fits) for text in ask.texts]

    async def _in_time(self, request: Request, futures: "Sequence[Future]") -> List[Result]:
        """The results, while the client waits for them and time is left."""
        work = asyncio.gather(*map(asyncio.wrap_future, futures), return_exceptions=True)
        # The body has been read: all that can still come is that the client goes.
        gone = asyncio.ensure_future(request.receive())
        try:
            either: Set[asyncio.Future] = {work, gone}
            await asyncio.wait(either, timeout=self._settings.timeout, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            if gone.done():
                self._metrics.gone.inc()
                raise HTTPException(499, "the client has gone")
            words = f"no answer within {self._settings.timeout:g} seconds; try less text, or later"
            raise HTTPException(503, words, {"Retry-After": "10"})
        finally:
            gone.cancel()
            if not work.done():
                self._batcher.forget(futures)
                work.add_done_callback(lambda _: work.cancelled() or work.exception())  # nobody asks any more
                work.cancel()

    def _answer(self, ask: Ask, target: str, documents, results: List[Result], detected) -> Dict[str, Any]:
        glue = language(target).separator
        texts, alternatives, details, problems = [], [], [], []
        start = 0
        for place, document in enumerate(documents):
            own = results[start : start + len(document.sentences)]
            start += len(own)
            best = document.join([_nth(one, 0) for one in own], glue)
            texts.append(best)
            others = range(1, max((len(one) for one in own if isinstance(one, list)), default=1))
            joined = [document.join([_nth(one, number) for one in own], glue) for number in others]
            alternatives.append([] if ask.html else [text for text in dict.fromkeys(joined) if text != best])
            problems += [
                {"text": place, "sentence": document.sentences[number], "error": _words(one)}
                for number, one in enumerate(own)
                if isinstance(one, BaseException)
            ]
            if ask.details:
                sentences = [self._detail(text, one) for text, one in zip(document.sentences, own)]
                details.append({"doubt": _recognizer(target).wrong(best), "sentences": sentences})
        answer: Dict[str, Any] = {"translatedText": texts if ask.listed else texts[0]}
        if detected is not None:
            one = _detected(detected)
            answer["detectedLanguage"] = [one] * len(texts) if ask.listed else one
        if ask.alternatives:
            answer["alternatives"] = alternatives if ask.listed else alternatives[0]
        if ask.details:
            answer["details"] = details if ask.listed else details[0]
        if problems:
            answer["problems"] = problems
        return answer

    def _detail(self, text: str, result: Result) -> Dict[str, Any]:
        if isinstance(result, BaseException):
            return {"source": text, "error": _words(result), "outputs": []}
        attention = result[0].attention if result else None
        return {
            "source": text,
            "pieces": self._pieces.cut([text])[0] + [EOS],
            "outputs": [{"text": one.text, "score": round(one.score, 4), "pieces": one.pieces} for one in result],
            # Percents: a page's shades need no more.
            "attention": attention and [[round(100 * weight) for weight in row] for row in attention],
        }

    async def detect(self, request: Request) -> Response:
        """``/detect``."""
        text = text_of(await read_parameters(request, self._bodies), self._settings)
        return JSONResponse([_detected(one) for one in await run_in_threadpool(self._every.detect, text)])

    async def languages(self, request: Request) -> Response:
        """``/languages``."""
        return JSONResponse(self.catalogue.listing())

    async def frontend_settings(self, request: Request) -> Response:
        """``/frontend/settings``."""
        source, target = self.catalogue.sources[0], self.catalogue.targets[0]
        return JSONResponse(
            {
                "charLimit": self._settings.max_chars,
                "frontendTimeout": 500,
                "apiKeys": False,
                "keyRequired": False,
                "suggestions": False,
                "filesTranslation": False,
                "supportedFilesFormat": [],
                "language": {
                    side: {"code": code, "name": language(code).name}
                    for side, code in (("source", source), ("target", target))
                },
            }
        )

    async def spec(self, request: Request) -> Response:
        """``/spec``."""
        return JSONResponse(specification())

    async def health(self, request: Request) -> Response:
        """``/health``: 200 while something decodes."""
        if self._batcher.alive:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "failed", "error": "nothing decodes any more"}, 500)

    async def metrics(self, request: Request) -> Response:
        """``/metrics``."""
        self._metrics.sentences_waiting.set(self._batcher.sentences)
        return Response(self._metrics.text(), headers={"Content-Type": MEDIA_TYPE})

    async def page(self, request: Request) -> Response:
        """``/``."""
        return page_response()

    async def not_here(self, request: Request) -> Response:
        """What LibreTranslate has, where its operators allow it."""
        raise HTTPException(403, f"This server does not offer {request.url.path}")


def _nth(result: Result, number: int) -> str:
    """A sentence's text in the ``number``-th version of the whole; its last where it has not so many."""
    if isinstance(result, BaseException):
        return ""
    return result[min(number, len(result) - 1)].text


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _detected(one: Detected) -> Dict[str, Any]:
    return {"confidence": one.confidence, "language": one.language}


@functools.lru_cache(maxsize=None)
def _recognizer(code: str) -> Recognizer:
    return Recognizer(language(code))


async def _refused(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _full(request: Request, error: Full) -> Response:
    return JSONResponse({"error": f"Slowdown: {error}"}, 429, {"Retry-After": str(error.retry_after)})


async def _broken(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the server has failed; its log says more"}, 500)
