"""A server on loopback with configurable responses that records every request."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urljoin

from sneaker_assets.sites.base import Listing, Page, PageError, Price, Site
from sneaker_assets_tests.crawl.answers import Answer, Server, reply


@dataclass(frozen=True)
class Request:
    """A request received by the server; ``at`` in seconds of the monotonic clock."""

    at: float
    path: str
    headers: dict[str, str]


@dataclass
class Shop:
    """Responses by path, and the log of requests."""

    answers: dict[str, Answer] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)
    base: str = ""

    @property
    def host(self) -> str:
        return self.base.partition("//")[2]

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.log if request.path == path]

    def site(self, adapter: Callable[[bytes, str], Page] | None = None) -> Site:
        return Site("shop", self.base, "/", "/soon", adapter or parse_page)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    shop: Shop

    def do_GET(self) -> None:
        self.shop.log.append(Request(time.monotonic(), self.path, dict(self.headers)))
        with suppress(ConnectionError):
            self.shop.answers.get(self.path, reply(404, b"nothing here"))(self)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


def parse_page(body: bytes, url: str) -> Page:
    """Adapter of the servers of the tests: products with prices and an image, and the next pages."""
    try:
        content = json.loads(body)
        listings = [
            Listing(
                "shop",
                product["id"],
                urljoin(url, product["id"]),
                product["id"],
                urljoin(url, product["image"]),
                "json",
                prices=tuple(Price(amount, "USD", "list") for amount in product["prices"]),
            )
            for product in content["listings"]
        ]
    except (ValueError, KeyError) as error:
        raise PageError(f"shop: no listing on {url}") from error
    return Page(tuple(listings), "json", tuple(content["next"]), listed=len(content["listings"]))


def shop_site(base: str) -> Site:
    """Site of a server at the given address."""
    return Site("shop", base, "/shoes?page=1", None, parse_page)


@contextmanager
def open_shop(tls: ssl.SSLContext | None = None) -> Iterator[Shop]:
    shop = Shop()
    server = Server(("127.0.0.1", 0), type("ShopHandler", (Handler,), {"shop": shop}))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    shop.base = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
