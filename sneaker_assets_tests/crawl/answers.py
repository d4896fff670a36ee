"""HTTP responses, valid and malformed, for the servers of the tests; independent of the package."""

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
        """Ignore closed connections, which some tests provoke."""


def reply(status: int = 200, body: bytes = b"", kind: str = "text/html", **headers: str) -> Answer:
    """A complete response, sent in one write; underscores in header names stand for hyphens."""
    fields = {
        "Server": "shop",
        "Date": formatdate(usegmt=True),
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unregistered"
    head = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in fields.items())]
    response = "\r\n".join([*head, "", ""]).encode("latin-1") + body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.log_request(status, len(body))
        handler.wfile.write(response)

    return answer


def by_validator(version: str, body: bytes, kind: str = "image/jpeg") -> Answer:
    """The body, or 304 if the request has the ETag of this version."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        current = handler.headers.get("If-None-Match") == f'"{version}"'
        reply(304 if current else 200, b"" if current else body, kind, ETag=f'"{version}"')(handler)

    return answer


def raw(data: bytes) -> Answer:
    """Send raw bytes and close the connection."""

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
    """One response after the other; the last one is repeated."""
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
