"""A server that answers as KicksDB's documentation describes, and crawls through it.

https://docs.kicks.dev
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd

from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sites import kicksdb
from sneaker_assets.sites.base import Site
from sneaker_assets.sources.web import WebSource
from sneaker_assets_tests.crawl.answers import Answer, Server, jpeg, reply

KEY = "KICKS-k3y-that-must-not-leak"
PER_PAGE = 2
TODAY = date(2026, 11, 25)


@dataclass
class Service:
    """State of the server.

    ``answers`` by path (without the query) take precedence; ``quota`` counts the requests with a key.
    """

    stockx: list[dict[str, Any]] = field(default_factory=list)
    goat: list[dict[str, Any]] = field(default_factory=list)
    sales: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    key: str = KEY
    quota: int = 0
    has_meta: bool = True
    log: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    base: str = ""

    def requests(self) -> list[str]:
        """Paths and queries of the API's requests."""
        return [path for path, _ in self.log if path.startswith("/v3/")]

    def respond(self, handler: BaseHTTPRequestHandler) -> Answer:
        url = urlsplit(handler.path)
        if url.path in self.answers:
            return self.answers[url.path]
        if not url.path.startswith("/v3/"):
            return reply(404)
        if handler.headers.get("Authorization") != self.key:
            return _json({"title": "Unauthorized", "status": 401, "detail": "Invalid key"}, 401)
        self.quota += 1
        return self._documented(url.path, {name: values[0] for name, values in parse_qs(url.query).items()})

    def _documented(self, path: str, query: dict[str, str]) -> Answer:
        _, _, marketplace, _, *product = path.split("/")
        products = getattr(self, marketplace)
        headers: dict[str, Any] = {"X_Key_Type": "free", "X_Quota_Current": str(self.quota)}
        if product[1:] == ["sales"]:
            return _json({"status": "success", "data": self.sales.get(product[0])}, **headers)
        if product:
            found = [entry for entry in products if product[0] in (str(entry["id"]), entry["slug"])]
            return _json({"status": "success", "data": found[0]}, **headers) if found else _json({}, 404, **headers)
        _, _, since = query.get("filters", "").partition('release_date >= "')
        shown = [entry for entry in products if entry["release_date"] >= since.rstrip('"')]
        page, limit = int(query["page"]), int(query["limit"])
        body = {"status": "success", "data": shown[(page - 1) * limit : page * limit]}
        meta = {"meta": {"page": page, "limit": limit, "total": len(shown)}} if self.has_meta else {}
        return _json(body | meta, **headers)


@contextmanager
def open_service() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            service.log.append((self.path, dict(self.headers)))
            service.respond(self)(self)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    service.base = f"http://127.0.0.1:{server.server_port}"
    service.answers["/picture.jpg"] = reply(body=jpeg(), kind="image/jpeg")
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


def kicks_sites(base: str, key: str = KEY, **options: Any) -> dict[str, Site]:
    """The two sites at a loopback address, with small pages and no delay."""
    found = kicksdb.sites(key, **({"today": TODAY} | options))
    small = f"limit={PER_PAGE}"
    return {
        site.name: replace(
            site,
            home=base,
            delay=0.0,
            start_path=site.start_path.replace(f"limit={kicksdb.PAGE_SIZE}", small),
            releases_path=(site.releases_path or "").replace(f"limit={kicksdb.PAGE_SIZE}", small),
        )
        for site in found
    }


def kicks_source(base: str, lake: Lake, key: str = KEY, *, delay: float = 0.0, **options: Any) -> WebSource:
    settings = FetchSettings(
        delay=delay, backoff=0.01, attempts=2, timeout=2.0, hold_cap=1.0, recheck=0.0, allow_loopback=True
    )
    return WebSource(lake, settings, sites_by_name=kicks_sites(base, key, **options))


def crawl_kicks(base: str, root: str, delay: float = 0.0) -> pd.DataFrame:
    return kicks_source(base, Lake.at(root), delay=delay, sales=True).observe("stockx")


def stockx_product(number: int, base: str, ask: float = 200, **more: Any) -> dict[str, Any]:
    """A product of StockX with two sizes, the larger one sold out."""
    size = {"product_id": f"shoe-{number}", "size_type": "us m", "updated_at": "2026-11-24T08:12:44Z"}
    return {
        "id": f"shoe-{number}",
        "slug": f"example-{number}",
        "title": f"Example {number}",
        "brand": "Example",
        "sku": f"EX-{number}",
        "product_type": "sneakers",
        "category": "Example",
        "categories": ["Example"],
        "image": f"{base}/picture.jpg",
        "rank": number,
        "release_date": "2021-02-27",
        "min_price": ask,
        "traits": [
            {"trait": "Colorway", "value": "Sail"},
            {"trait": "Retail Price", "value": 170},
            {"trait": "Release Date", "value": "2021-02-27"},
        ],
        "variants": [
            {"id": f"{number}-9", "size": "9", "lowest_ask": ask, "total_asks": 3, **size},
            {"id": f"{number}-10", "size": "10", "lowest_ask": 0, "total_asks": 0, **size},
        ],
        **more,
    }


def goat_product(number: int, base: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "slug": f"example-{number}",
        "name": f"Example {number}",
        "brand": "Example",
        "sku": f"EX {number}",
        "colorway": "Sail",
        "product_type": "sneakers",
        "image_url": f"{base}/picture.jpg",
        "images": None,
        "release_date": "20210227",
        "variants": [{"size": "9", "lowest_ask": 202, "currency": "USD", "available": True}],
        **more,
    }


def sale(amount: float, at: str, size: str = "9") -> dict[str, Any]:
    return {
        "product_id": "shoe-1",
        "variant_id": f"1-{size}",
        "amount": amount,
        "created_at": at,
        "variant": {"size": size, "size_type": "us m"},
    }


def first_of_next_month(now: datetime) -> datetime:
    year, month = divmod(now.year * 12 + now.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def _json(value: Any, status: int = 200, **headers: str) -> Answer:
    return reply(status, json.dumps(value).encode(), "application/json", **headers)
