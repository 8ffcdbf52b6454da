"""Looking at a page in a real browser that has no network but this test's own server."""

import http.server
import json
import os
import shutil
import subprocess
import threading
from typing import Any, Dict, List, NamedTuple, Sequence

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell", "firefox", "firefox-esr")
_SECONDS = 120

#: Chromium without a window and without errands of its own. (A container's root has no sandbox.)
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
QUIET += ["--disable-background-networking", "--disable-component-update"]

# Runs beside the page, which it holds in a frame and leaves as it is.
_HARNESS = """<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,">
<iframe id="page" src="page.html" style="width: 1200px; height: 900px"></iframe>
<script>
const frame = document.getElementById("page");
frame.onload = () => {
  const inside = frame.contentWindow, page = inside.document, figures = [];
  for (const figure of page.querySelectorAll("figure")) {
    const svg = figure.querySelector("svg"), box = svg.getBoundingClientRect(), marks = [];
    for (const mark of svg.querySelectorAll(".mark")) {
      const place = mark.getBoundingClientRect(), look = inside.getComputedStyle(mark);
      const within = place.left >= box.left - 1 && place.right <= box.right + 1 &&
                     place.top >= box.top - 1 && place.bottom <= box.bottom + 1;
      const colour = look.fill !== "none" ? look.fill : look.stroke;
      marks.push({tag: mark.tagName, within: within, size: place.width + place.height,
                  colour: mark.tagName === "line" ? look.stroke : colour, shown: look.visibility});
    }
    const words = [...svg.querySelectorAll("text")].map(text => {
      const place = text.getBoundingClientRect();
      const out = place.left < box.left - 1 || place.right > box.right + 1 ||
                  place.top < box.top - 1 || place.bottom > box.bottom + 1;
      return {words: text.textContent, cut: place.width > 0 && out};
    });
    let hit = null;  // is what stands at a dot's centre really that dot?
    const dot = svg.querySelector("circle.mark, rect.mark");
    if (dot) {
      dot.scrollIntoView({block: "center"});
      const place = dot.getBoundingClientRect();
      const top = page.elementFromPoint(place.left + place.width / 2, place.top + place.height / 2);
      hit = top !== null && top.classList.contains("mark") && svg.contains(top);
    }
    figures.push({id: figure.id, promised: Number(figure.dataset.marks), marks: marks, words: words, hit: hit,
                  width: box.width, height: box.height});
  }
  const report = {
    figures: figures, text: page.body.innerText, scripts: page.scripts.length,
    fetched: inside.performance.getEntriesByType("resource").map(entry => entry.name)
  };
  fetch("result", {method: "POST", body: JSON.stringify(report)});
};
</script>
"""


class Seen(NamedTuple):
    """What the browser saw: ``page`` as the harness describes it; every path and host it asked the server for."""

    page: Dict[str, Any]
    requests: List[str]


def find(names: Sequence[str], words: str) -> str:
    """The first of these programs on PATH; without one, the test fails where CI=true and is skipped elsewhere."""
    found = next((path for path in map(shutil.which, names) if path), None)
    if found:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(words, pytrace=False)
    pytest.skip(words)


def find_browser() -> str:
    """The first browser."""
    words = "no browser on PATH (one of {}); on Debian: apt install chromium".format(", ".join(BROWSERS))
    return find(BROWSERS, words)


def look_at(html: bytes, folder) -> Seen:
    """Open a page in a headless browser whose only way out is this test's server, and say what it shows."""
    browser = find_browser()
    requests: List[str] = []
    result: Dict[str, Any] = {}
    done = threading.Event()
    files = {"/": _HARNESS.encode("utf-8"), "/page.html": html}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            # A proxy is asked for whole addresses, a server for paths.
            requests.append(self.path)
            path = self.path[len(own) :] if self.path.startswith(own) else self.path
            content = files.get(path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content or b"")

        def do_CONNECT(self):
            requests.append(self.path)
            self.send_error(403)

        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.path.endswith("/result") or own not in (
                self.path[: len(own)],
                "http://" + self.headers["Host"],
            ):
                self.send_error(403)  # the browser's own errands
                return
            result.update(json.loads(content.decode("utf-8")))
            self.send_response(204)
            self.end_headers()
            done.set()

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        own = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        process = subprocess.Popen(
            _command(browser, str(folder), server.server_port) + [own + "/"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert done.wait(_SECONDS), f"{browser} showed nothing within {_SECONDS} seconds"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            server.shutdown()
    return Seen(result, requests)


def _command(browser: str, folder: str, port: int) -> List[str]:
    if "firefox" in os.path.basename(browser):
        with open(os.path.join(folder, "user.js"), "w") as stream:
            stream.write('user_pref("network.proxy.type", 1);\n')
            for kind in ("http", "ssl"):
                stream.write(f'user_pref("network.proxy.{kind}", "127.0.0.1");\n')
                stream.write(f'user_pref("network.proxy.{kind}_port", {port});\n')
        return [browser, "--headless", "--no-remote", "--profile", folder]
    return [
        browser,
        *QUIET,
        "--user-data-dir=" + folder,
        f"--proxy-server=127.0.0.1:{port}",
        "--proxy-bypass-list=<-loopback>",
        "--window-size=1300,1000",
        "--remote-debugging-port=0",  # without it, headless Chromium ends as soon as the page has loaded
    ]
