"""Small saved pages in every format, for the tests of the source of saved pages."""

import base64
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

AT = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
LOGIN = b"<!DOCTYPE html><html><head><script>let user = null</script></head><body>Log in</body></html>"


@dataclass(frozen=True)
class Saved:
    """One response to be saved."""

    url: str
    body: bytes
    media_type: str = "text/html"
    at: datetime = AT
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def page(*numbers: int, price: float = 100, host: str = "stockx.com", head: str = "") -> bytes:
    """A page with the products of the given numbers as JSON-LD."""
    products = [
        {
            "@context": "https://schema.org",
            "@type": "Product",
            "name": f"Shoe {number}",
            "productID": f"id-{number}",
            "url": f"https://{host}/shoe-{number}",
            "image": image_url(number),
            "offers": {"@type": "AggregateOffer", "lowPrice": price, "priceCurrency": "USD"},
        }
        for number in numbers
    ]
    scripts = "".join(f'<script type="application/ld+json">{json.dumps(product)}</script>' for product in products)
    return f"<!DOCTYPE html><html><head><title>Shoes</title>{head}{scripts}</head><body></body></html>".encode()


def product(number: int, **changes: Any) -> Saved:
    """The saved page of one product of StockX."""
    fields = {"url": f"https://stockx.com/shoe-{number}", "body": page(number)} | changes
    return Saved(**fields)


def image_url(number: int) -> str:
    return f"https://images.stockx.com/360/shoe-{number}.jpg?fit=fill&w=700"


def write_warc(file: Path, saved: Iterable[Saved], *, compressed: bool | None = None) -> Path:
    compressed = file.suffix == ".gz" if compressed is None else compressed
    with file.open("wb") as out:
        writer = WARCWriter(out, gzip=compressed)
        writer.write_record(writer.create_warcinfo_record(file.name, {"software": "test"}))
        for one in saved:
            headers = {"Content-Type": f"{one.media_type}; charset=utf-8", **one.headers}
            writer.write_record(
                writer.create_warc_record(
                    one.url,
                    "response",
                    payload=io.BytesIO(one.body),
                    warc_headers_dict={"WARC-Date": f"{one.at:%Y-%m-%dT%H:%M:%SZ}"},
                    http_headers=StatusAndHeaders(f"{one.status} Status", [*headers.items()], protocol="HTTP/1.1"),
                )
            )
    return file


def har_entry(one: Saved) -> dict[str, Any]:
    try:
        content = {"text": one.body.decode()}
    except UnicodeDecodeError:
        content = {"text": base64.b64encode(one.body).decode(), "encoding": "base64"}
    return {
        "startedDateTime": one.at.isoformat(timespec="milliseconds"),
        "request": {"method": "GET", "url": one.url},
        "response": {
            "status": one.status,
            "headers": [{"name": name, "value": value} for name, value in one.headers.items()],
            "content": {"size": len(one.body), "mimeType": f"{one.media_type}; charset=utf-8", **content},
        },
    }


def write_har(file: Path, saved: Iterable[Saved]) -> Path:
    return write_entries(file, [har_entry(one) for one in saved])


def write_entries(file: Path, entries: Iterable[Any]) -> Path:
    entries = list(entries)
    file.write_text(json.dumps({"log": {"version": "1.2", "creator": {"name": "test"}, "entries": entries}}))
    return file


def write_mhtml(file: Path, main: Saved, *others: Saved, encoding: str = "quoted-printable") -> Path:
    message = EmailMessage()
    message["From"] = "<Saved by Blink>"
    message["Snapshot-Content-Location"] = main.url
    message["Date"] = f"{main.at:%a, %d %b %Y %H:%M:%S} GMT"
    message["MIME-Version"] = "1.0"
    message["Content-Type"] = 'multipart/related; type="text/html"; boundary="----MultipartBoundary--x----"'
    for one in (main, *others):
        part = EmailMessage()
        kind, _, subtype = one.media_type.partition("/")
        if kind == "text":
            part.set_content(one.body.decode(), subtype=subtype, cte=encoding)
        else:
            part.set_content(one.body, kind, subtype, cte="base64")
        part["Content-Location"] = one.url
        message.attach(part)
    file.write_bytes(message.as_bytes())
    return file
