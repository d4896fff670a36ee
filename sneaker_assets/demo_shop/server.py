"""HTTP servers of the offline shop, one per site on loopback, which draw images on request."""

import hashlib
import sys
import threading
from contextlib import suppress
from datetime import date
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from sneaker_assets.demo_shop.catalogue import SHOP_DATE, ShopSite, generate_catalogue, generate_releases
from sneaker_assets.demo_shop.design import ShoeDesign
from sneaker_assets.demo_shop.pages import LAYOUTS, ROBOTS, Storefront, not_found
from sneaker_assets.demo_shop.shoes import draw_shoe, encode_jpeg


@lru_cache(maxsize=1024)
def _jpeg(design: ShoeDesign, size: tuple[int, int]) -> bytes:
    return encode_jpeg(draw_shoe(design, size))


class DemoShop:
    """The offline shop: one server per site on a port of 127.0.0.1.

    Args:
        n_products: Number of products on sale, over all sites.
        seed: Seed of the shop; the same seed gives identical responses.
        today: Date at the shop, which decides what is announced and released; by default that of the catalogue.

    Attributes:
        addresses: Base URLs by site, such as ``http://127.0.0.1:40123``; empty while the shop is closed.
    """

    def __init__(self, n_products: int = 800, seed: int = 2020, today: date | None = None) -> None:
        self.addresses: dict[str, str] = {}
        products, releases = generate_catalogue(n_products, seed), generate_releases(seed)
        self._storefronts: dict[ShopSite, Storefront] = {
            site: Storefront(site, products, releases, today or SHOP_DATE) for site in LAYOUTS
        }
        self._servers: list[_Server] = []

    def start(self) -> None:
        """Start the servers."""
        for site, storefront in self._storefronts.items():
            server = _Server(site, storefront)
            self._servers.append(server)
            self.addresses[site] = server.base
            server.open()

    def stop(self) -> None:
        """Stop the servers, close all connections and join all threads."""
        while self._servers:
            self._servers.pop().close()
        self.addresses.clear()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    """Server of one site, which closes keep-alive connections when it is stopped."""

    request_queue_size = 64

    def __init__(self, site: str, storefront: Storefront) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site, self.storefront = site, storefront
        self.base = f"http://127.0.0.1:{self.server_port}"
        self._connections: dict[threading.Thread, socket] = {}
        self._loop = threading.Thread(target=self.serve_forever, args=(0.05,), name=f"shop-{site}", daemon=True)

    def open(self) -> None:
        self._loop.start()

    def close(self) -> None:
        self.shutdown()
        self._loop.join()
        self.server_close()
        for thread, connection in list(self._connections.items()):
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
            thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._connections[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._connections[threading.current_thread()]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore closed connections and print all other errors."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sneaker-shop", ""
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        status, kind, body = self._content()
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if status is HTTPStatus.OK and etag in self.headers.get("If-None-Match", ""):
            status, body = HTTPStatus.NOT_MODIFIED, b""
        self.send_response(status)
        self.send_header("ETag", etag)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def _content(self) -> tuple[HTTPStatus, str, bytes]:
        """Status, content type and body of the response."""
        url = urlsplit(self.path)
        storefront = self.server.storefront
        if url.path == "/robots.txt":
            return HTTPStatus.OK, "text/plain; charset=utf-8", ROBOTS.encode()
        if product := storefront.image(url.path):
            return HTTPStatus.OK, "image/jpeg", _jpeg(product.design, storefront.layout.image_size)
        page = parse_qs(url.query).get("page", ["1"])[0]
        number = int(page) if page.isdecimal() else 0
        html = storefront.page(url.path, number, self._base)
        if html is None:
            return HTTPStatus.NOT_FOUND, "text/html; charset=utf-8", not_found(self.server.site).encode()
        return HTTPStatus.OK, "text/html; charset=utf-8", html.encode()

    @property
    def _base(self) -> str:
        """Base URL of the site as used by the client."""
        host = self.headers.get("Host")
        return f"http://{host}" if host else self.server.base

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Suppress the access log."""
