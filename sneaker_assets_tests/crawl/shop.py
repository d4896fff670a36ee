"""A shop on loopback that misbehaves as a test tells it to, and remembers every request."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

from sneaker_assets.sites.base import Page, Site

Answer = Callable[["Handler"], None]


@dataclass(frozen=True)
class Request:
    """One request as the shop saw it; ``at`` in seconds of the monotonic clock."""

    at: float
    path: str
    headers: dict[str, str]


@dataclass
class Shop:
    """What each path answers, and what was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)
    base: str = ""

    @property
    def host(self) -> str:
        return self.base.removeprefix("http://")

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.log if request.path == path]

    def site(self, read_page: Callable[[bytes, str], Page] | None = None) -> Site:
        def read_nothing(body: bytes, url: str) -> Page:
            raise NotImplementedError(url, body)

        return Site("shop", self.base, "/", "/soon", read_page or read_nothing)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    shop: Shop

    def do_GET(self) -> None:
        self.shop.log.append(Request(time.monotonic(), self.path, dict(self.headers)))
        with suppress(ConnectionError):
            self.shop.answers.get(self.path, reply(404, b"nothing here"))(self)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


def reply(status: int = 200, body: bytes = b"", kind: str = "text/html", **headers: str) -> Answer:
    """A whole answer; underscores in header names stand for hyphens."""

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def by_validator(version: str, body: bytes, kind: str = "image/jpeg") -> Answer:
    """The body for whoever does not have this version, 304 for whoever says so."""

    def answer(handler: Handler) -> None:
        has_it = handler.headers.get("If-None-Match") == f'"{version}"'
        reply(304 if has_it else 200, b"" if has_it else body, kind, ETag=f'"{version}"')(handler)

    return answer


def raw(data: bytes) -> Answer:
    """These bytes, and then the connection ends."""

    def answer(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(data)

    return answer


def endless(chunk: bytes, pause: float = 0.0) -> Answer:
    """A body that never ends."""

    def answer(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while True:
            handler.wfile.write(chunk)
            time.sleep(pause)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One answer after the other, the last one for good."""
    left, lock = list(answers), threading.Lock()

    def answer(handler: Handler) -> None:
        with lock:
            now = left.pop(0) if len(left) > 1 else left[0]
        now(handler)

    return answer


def jpeg(width: int = 40, height: int = 30, colour: str = "teal") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "JPEG")
    return file.getvalue()


@contextmanager
def open_shop() -> Iterator[Shop]:
    shop = Shop()
    server = Server(("127.0.0.1", 0), type("ShopHandler", (Handler,), {"shop": shop}))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    shop.base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
