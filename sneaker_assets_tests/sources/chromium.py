"""Chromium without a window, which saves pages as a person would: https://chromedevtools.github.io/devtools-protocol/."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1300,30000")

_LOAD_PICTURES = "Promise.all([...document.images].map(one => { one.loading = 'eager'; return one.decode() }))"


@dataclass
class SavedByBrowser:
    """A page as the browser saves it: the document, an MHTML file, and the entries of a HAR file with their bodies."""

    html: str
    mhtml: str
    entries: list[dict[str, Any]]


@dataclass
class Tab:
    """Connection to one tab of the browser."""

    requests: BinaryIO
    answers: BinaryIO
    session: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    _number: int = 0

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        self.requests.write(
            json.dumps(command | ({"sessionId": self.session} if self.session else {})).encode() + b"\0"
        )
        self.requests.flush()
        while (message := self._receive()).get("id") != self._number:
            self.events.append(message)
        result: dict[str, Any] = message.get("result", {})
        return result

    def wait_for(self, event: str) -> None:
        """Receive events up to one of the given name."""
        while not any(message.get("method") == event for message in self.events):
            self.events.append(self._receive())

    def _receive(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            if not byte:
                raise EOFError("the browser has closed the connection")
            message += byte
        received: dict[str, Any] = json.loads(message)
        return received

    def save(self, url: str) -> SavedByBrowser:
        """Open a page, wait until all of its pictures have loaded, as if scrolled to, and save it."""
        self.events.clear()
        self.send("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")
        self.send("Runtime.evaluate", expression=_LOAD_PICTURES, awaitPromise=True)
        outer = self.send("Runtime.evaluate", expression="document.documentElement.outerHTML")["result"]["value"]
        mhtml = self.send("Page.captureSnapshot", format="mhtml")["data"]
        responses = [event["params"] for event in self.events if event.get("method") == "Network.responseReceived"]
        return SavedByBrowser(outer, mhtml, [self._entry(params) for params in responses])

    def _entry(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Entry of a HAR file for a response, as the network tab exports it."""
        response = params["response"]
        body = self.send("Network.getResponseBody", requestId=params["requestId"])
        content = {"mimeType": response["mimeType"], "text": body["body"]}
        return {
            "startedDateTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": {"method": "GET", "url": response["url"]},
            "response": {
                "status": response["status"],
                "headers": [{"name": name, "value": value} for name, value in response["headers"].items()],
                "content": content | ({"encoding": "base64"} if body["base64Encoded"] else {}),
            },
        }


@contextmanager
def open_chromium(binary: str, hosts: Mapping[str, str]) -> Iterator[Tab]:
    """Start the browser.

    Args:
        binary: Path of the program.
        hosts: Addresses of servers on loopback by the host that they answer for.
    """
    rules = ",".join(f"MAP {host}:80 {address.removeprefix('http://')}" for host, address in hosts.items())
    to_browser, from_browser = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            binary,
            *FLAGS,
            f"--host-resolver-rules={rules}",
            f"--user-data-dir={profile}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        # The browser reads commands from descriptor 3 and writes answers to descriptor 4.
        shell = f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}'
        browser = subprocess.Popen(
            ["/bin/bash", "-c", shell, "chromium", *command],
            pass_fds=(to_browser[0], from_browser[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser[0])
        os.close(from_browser[1])
        with os.fdopen(to_browser[1], "wb") as requests, os.fdopen(from_browser[0], "rb") as answers:
            tab = Tab(requests, answers)
            try:
                target = tab.send("Target.createTarget", url="about:blank")["targetId"]
                tab.session = tab.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
                tab.send("Page.enable")
                tab.send("Network.enable", maxTotalBufferSize=200_000_000, maxResourceBufferSize=50_000_000)
                yield tab
            finally:
                browser.terminate()
                browser.wait()
