"""What a client asks for, read within limits from JSON, a form or the address."""

import asyncio
import json
from typing import Any, Dict, List, NamedTuple, Union
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from .settings import Settings

_MOST_FIELDS = 1000
_MOST_IN_A_BATCH = 1000  # texts
_DRAINED = 16  # times the limit of what is read and thrown away, so that a client hears that it sent too much


class Ask(NamedTuple):
    """A request to translate, checked as far as that needs no model."""

    texts: List[str]
    listed: bool  # the client sent a list and wants one
    source: str
    target: str
    html: bool
    alternatives: int
    details: bool


class Bodies:
    """Reads the bodies of requests; all that are being read take ``settings.queue`` full ones of memory at most."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Most are far below the limit. What matters is that a crowd of slow clients cannot fill the memory.
        self._room = settings.max_body * max(1, settings.queue // 4)

    async def read(self, request: Request) -> bytes:
        """The body.

        Raises:
            HTTPException: it is too large (413), comes too slowly (408), or too many others are being read (429).
        """
        limit = self._settings.max_body
        try:
            declared = int(request.headers.get("content-length", 0))
        except ValueError:
            declared = 0
        if declared > limit and "expect" in request.headers:
            raise _too_large(limit)
        chunks: List[bytes] = []
        size, more = 0, True
        end = asyncio.get_running_loop().time() + self._settings.slow
        try:
            while more:
                left = max(0.0, end - asyncio.get_running_loop().time())
                message = await asyncio.wait_for(request.receive(), left)
                if message["type"] == "http.disconnect":
                    raise HTTPException(499, "the client has gone")
                chunk, more = message.get("body", b""), message.get("more_body", False)
                size += len(chunk)
                if size <= limit and declared <= limit:
                    self._room -= len(chunk)
                    chunks.append(chunk)
                    if self._room < 0:
                        raise HTTPException(429, "too much is being sent at once", {"Retry-After": "1"})
                elif size > _DRAINED * limit:
                    raise _too_large(limit)
        except asyncio.TimeoutError:
            words = f"the request did not come within {self._settings.slow:g} seconds"
            raise HTTPException(408, words, {"Connection": "close"})
        finally:
            self._room += sum(map(len, chunks))
        if size > limit or declared > limit:
            raise _too_large(limit)
        return b"".join(chunks)


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"the request is larger than {limit} bytes", {"Connection": "close"})


async def read_parameters(request: Request, bodies: Bodies) -> Dict[str, Any]:
    """The parameters of a request, those of its body before those of its address.

    Raises:
        HTTPException: as ``Bodies.read``, or a body that cannot be read (400).
    """
    found = _query(request.scope["query_string"])
    if request.method in ("GET", "HEAD"):
        return found
    body = await bodies.read(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        found.update(_json(body))
    elif kind == "multipart/form-data":
        found.update(await _multipart(request, body))
    else:
        found.update(_query(body))
    return found


def _query(written: bytes) -> Dict[str, Any]:
    try:
        # Whether percents or plain UTF-8, as curl -d sends it.
        pairs = parse_qsl(written.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise HTTPException(400, f"Invalid request: more than {_MOST_FIELDS} fields")
    return _fields(pairs)


def _json(body: bytes) -> Dict[str, Any]:
    try:
        found = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise HTTPException(400, "Invalid JSON format")
    if not isinstance(found, dict):
        raise HTTPException(400, "Invalid JSON format")
    return found


async def _multipart(request: Request, body: bytes) -> Dict[str, Any]:
    async def again():
        return {"type": "http.request", "body": body, "more_body": False}

    async with Request(request.scope, again).form(max_files=0, max_fields=_MOST_FIELDS) as form:
        return _fields([(name, value) for name, value in form.multi_items() if isinstance(value, str)])


def _fields(pairs) -> Dict[str, Any]:
    """Fields by name; one that comes several times is a list. Line ends become those of UNIX, as forms change them."""
    found: Dict[str, Any] = {}
    for name, value in pairs:
        value = value.replace("\r\n", "\n")
        if name in found:
            found[name] = (found[name] if isinstance(found[name], list) else [found[name]]) + [value]
        else:
            found[name] = value
    return found


def ask_of(parameters: Dict[str, Any], settings: Settings) -> Ask:
    """What ``/translate`` is asked for.

    Raises:
        HTTPException: something is missing or of the wrong kind (400), with LibreTranslate's words.
    """
    q = _text_or_texts(parameters)
    source, target = (_word(parameters, name) for name in ("source", "target"))
    texts = q if isinstance(q, list) else [q]
    try:
        alternatives = max(0, int(parameters.get("alternatives") or 0))
    except (TypeError, ValueError, OverflowError):
        raise HTTPException(400, "Invalid request: alternatives parameter is not a number")
    for size, limit in ((len(texts), _MOST_IN_A_BATCH), (sum(map(len, texts)), settings.max_chars)):
        if size > limit:
            raise HTTPException(400, f"Invalid request: request ({size}) exceeds text limit ({limit})")
    form = parameters.get("format") or "text"
    if form not in ("text", "html"):
        raise HTTPException(400, f"{str(form):.40} format is not supported")
    details = str(parameters.get("details", "")).lower() in ("1", "true", "yes")
    return Ask(texts, isinstance(q, list), source, target, form == "html", alternatives, details)


def text_of(parameters: Dict[str, Any], settings: Settings) -> str:
    """What ``/detect`` is asked about; raises as ``ask_of``."""
    q = _text_or_texts(parameters)
    text = "\n".join(q) if isinstance(q, list) else q
    if len(text) > settings.max_chars:
        raise HTTPException(400, f"Invalid request: request ({len(text)}) exceeds text limit ({settings.max_chars})")
    return text


def _text_or_texts(parameters: Dict[str, Any]) -> Union[str, List[str]]:
    q = parameters.get("q")
    if not q:
        raise HTTPException(400, "Invalid request: missing q parameter")
    if isinstance(q, str):
        return _whole(q)
    if isinstance(q, list) and all(isinstance(text, str) for text in q):
        return [_whole(text) for text in q]
    raise HTTPException(400, "Invalid request: q parameter is neither a text nor a list of texts")


def _word(parameters: Dict[str, Any], name: str) -> str:
    value = parameters.get(name)
    if not value:
        raise HTTPException(400, f"Invalid request: missing {name} parameter")
    if not isinstance(value, str):
        raise HTTPException(400, f"Invalid request: {name} parameter is no text")
    return value


def _whole(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
