"""The page: one file with its own script and style, which the browser is told to run and nothing else."""

import base64
import functools
import hashlib
import os
import re
from typing import Dict, Tuple

from starlette.responses import Response

_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.html")


@functools.lru_cache(maxsize=None)
def _page() -> Tuple[bytes, Dict[str, str]]:
    with open(_FILE, encoding="utf-8") as stream:
        html = stream.read()
    # By their hashes the page's own script and style may run; whatever a text brings may not.
    script, style = (
        " ".join(map(_hash, re.findall(f"<{name}>(.*?)</{name}>", html, re.DOTALL))) for name in ("script", "style")
    )
    policy = (
        "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'none'; script-src {script}; style-src {style}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return html.encode("utf-8"), headers


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "'sha256-{}'".format(base64.b64encode(digest).decode("ascii"))


def page_response() -> Response:
    """The page, with a policy that keeps the browser from asking anybody else."""
    html, headers = _page()
    return Response(html, media_type="text/html", headers=headers)
