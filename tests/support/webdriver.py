"""A real browser that a test types into and looks at, by the WebDriver protocol and without a network."""

import base64
import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any, Dict, Iterator, List

from tests.support.browser import QUIET, find, find_browser

SECONDS = 60
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for a reference
KEYS = {"tab": "\ue004", "down": "\ue015", "right": "\ue014", "left": "\ue012", "end": "\ue010"}


class Browser:
    """One window."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _call(self, method: str, path: str, fields: Any = None) -> Any:
        data = None if fields is None else json.dumps(fields).encode("utf-8")
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode("utf-8")[:2000])

    def open(self, url: str) -> None:
        """Go to a page."""
        self._call("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function with this body gives in the page."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str) -> Any:
        """As ``run``, as soon as that is true."""
        end = time.monotonic() + SECONDS
        while True:
            found = self.run(script)
            if found:
                return found
            assert time.monotonic() < end, script
            time.sleep(0.05)

    def type(self, selector: str, words: str) -> None:
        """Press keys in an element."""
        element = self._call("POST", "/element", {"using": "css selector", "value": selector})
        self._call("POST", f"/element/{element[_ELEMENT]}/value", {"text": words})

    def press(self, *names: str) -> None:
        """Press keys where the focus is; names are those of ``KEYS``."""
        steps = [{"type": kind, "value": KEYS[name]} for name in names for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

    def hover(self, selector: str) -> None:
        """Put the pointer on an element."""
        element = self._call("POST", "/element", {"using": "css selector", "value": selector})
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        move = {"type": "pointerMove", "duration": 0, "origin": element, "x": 0, "y": 0}
        self._call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [move]}]})

    def command(self, name: str, **parameters: Any) -> Any:
        """A command of Chromium's own protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def emulate(self, media: str, value: str) -> None:
        """Have the page see another value of a media feature."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": media, "value": value}])

    def size(self, width: int, height: int) -> None:
        """Change the window's size."""
        self._call("POST", "/window/rect", {"width": width, "height": height})

    def screenshot(self, path: str) -> None:
        """Write what is seen as PNG."""
        with open(path, "wb") as stream:
            stream.write(base64.b64decode(self._call("GET", "/screenshot")))

    def console(self) -> List[str]:
        """What the console has said since it was last asked: errors and warnings."""
        entries = self._call("POST", "/se/log", {"type": "browser"})
        return ["{level}: {message}".format(**entry) for entry in entries]

    def requests(self) -> List[str]:
        """All addresses that the page has asked for since this was last called."""
        found = []
        for entry in self._call("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                parameters = message["params"]
                found.append(parameters.get("url") or parameters["request"]["url"])
        return found


@contextlib.contextmanager
def browser(folder) -> Iterator[Browser]:
    """A headless Chromium; without one, the test fails where CI=true and is skipped elsewhere."""
    chromium = find_browser()
    driver = find(["chromedriver"], "no chromedriver on PATH; on Debian: apt install chromium-driver")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    arguments = [
        *QUIET,
        "--user-data-dir=" + str(folder),
        # Nobody listens there: all but this machine is out of reach.
        "--proxy-server=127.0.0.1:9",
        "--window-size=1200,1000",
    ]
    options: Dict[str, Any] = {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": chromium, "args": arguments},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    try:
        _wait_for(url + "/status")
        start = Browser(url)
        session = start._call("POST", "/session", {"capabilities": {"alwaysMatch": options}})["sessionId"]
        window = Browser(f"{url}/session/{session}")
        try:
            yield window
        finally:
            window._call("DELETE", "")
    finally:
        process.terminate()
        process.wait(SECONDS)


def _wait_for(url: str) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=SECONDS).close()
            return
        except OSError:
            assert time.monotonic() < end, "chromedriver does not answer"
            time.sleep(0.1)
