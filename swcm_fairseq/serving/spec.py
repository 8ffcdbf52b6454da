"""What ``/spec`` says: the API as Swagger 2.0 describes it, which tools make clients from."""

from typing import Any, Dict

from ..version import __version__

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_NUMBER = {"type": "number"}
_LANGUAGE = {
    "type": "object",
    "properties": {"code": _TEXT, "name": _TEXT, "targets": _TEXTS},
}
_DETECTED = {"type": "object", "properties": {"confidence": _NUMBER, "language": _TEXT}}
_TRANSLATION = {
    "type": "object",
    "required": ["translatedText"],
    "properties": {
        "translatedText": {"description": "one text, or a list where q was one"},
        "detectedLanguage": _DETECTED,
        "alternatives": _TEXTS,
    },
}
_ERROR = {"type": "object", "properties": {"error": _TEXT}}
_REFUSALS = {
    "400": "the request is wrong",
    "408": "the request came too slowly",
    "413": "the request is too large",
    "429": "too many requests; Retry-After says when to come again",
    "500": "the text could not be translated",
    "503": "no answer in time",
}


def _field(name: str, words: str, required: bool = True, kind: str = "string") -> Dict[str, Any]:
    return {"in": "formData", "name": name, "type": kind, "required": required, "description": words}


def _answers(schema: Dict[str, Any]) -> Dict[str, Any]:
    refusals = {code: {"description": words, "schema": _ERROR} for code, words in _REFUSALS.items()}
    return {"200": {"description": "the answer", "schema": schema}, **refusals}


def _get(summary: str, schema: Dict[str, Any]) -> Dict[str, Any]:
    return {"get": {"summary": summary, "responses": {"200": {"description": "the answer", "schema": schema}}}}


def specification() -> Dict[str, Any]:
    """The whole description."""
    translate = {
        "summary": "Translate a text, or several",
        "consumes": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
        "parameters": [
            _field("q", "a text; in JSON also a list of texts"),
            _field("source", "code of the language to translate from, or auto"),
            _field("target", "code of the language to translate into"),
            _field("format", "text or html", required=False),
            _field("alternatives", "how many further translations are wanted", required=False, kind="integer"),
            _field("details", "also give pieces, scores and attention", required=False, kind="boolean"),
            _field("api_key", "not looked at", required=False),
        ],
        "responses": _answers(_TRANSLATION),
    }
    detect = {
        "summary": "Say which language a text is in",
        "consumes": translate["consumes"],
        "parameters": [_field("q", "a text")],
        "responses": _answers({"type": "array", "items": _DETECTED}),
    }
    return {
        "swagger": "2.0",
        "info": {"title": "swcm-serve", "version": __version__, "description": "LibreTranslate's API"},
        "basePath": "/",
        "produces": ["application/json"],
        "paths": {
            "/translate": {"post": translate},
            "/detect": {"post": detect},
            "/languages": _get("The languages", {"type": "array", "items": _LANGUAGE}),
            "/frontend/settings": _get("Limits and defaults", {"type": "object"}),
            "/health": _get("Whether the server works", {"type": "object", "properties": {"status": _TEXT}}),
        },
    }
