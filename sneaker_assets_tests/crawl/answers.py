"""Answers of an HTTP server, good and bad ones, for the shops of the tests. Nothing here imports the pipeline.

Which path gives which answer is ``shop``'s and ``misbehaving_shop``'s concern.
"""

import io
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


def reply(status: int = 200, body: bytes = b"", kind: str = "text/html", **headers: str) -> Answer:
    """A whole answer, in one write; underscores in header names stand for hyphens."""
    fields = {
        "Server": "shop",
        "Date": formatdate(usegmt=True),
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in fields.items())]
    whole = "\r\n".join([*head, "", ""]).encode("latin-1") + body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.log_request(status, len(body))
        handler.wfile.write(whole)

    return answer


def by_validator(version: str, body: bytes, kind: str = "image/jpeg") -> Answer:
    """The body for whoever does not have this version, 304 for whoever says so."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        has_it = handler.headers.get("If-None-Match") == f'"{version}"'
        reply(304 if has_it else 200, b"" if has_it else body, kind, ETag=f'"{version}"')(handler)

    return answer


def raw(data: bytes) -> Answer:
    """These bytes, and then the connection ends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(data)

    return answer


def endless(chunk: bytes, pause: float = 0.0) -> Answer:
    """A body that never ends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while True:
            handler.wfile.write(chunk)
            time.sleep(pause)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One answer after the other, the last one for good."""
    left, lock = list(answers), threading.Lock()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        with lock:
            now = left.pop(0) if len(left) > 1 else left[0]
        now(handler)

    return answer


def jpeg(width: int = 40, height: int = 30, colour: str = "teal") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "JPEG")
    return file.getvalue()
