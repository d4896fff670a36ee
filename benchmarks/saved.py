"""Rate at which saved pages without a listing are read from a WARC file, relative to warcio's bare iteration.

Claim: at least 50 % of the rate of ``for record in ArchiveIterator(file): pass``, which reads no body. Most pages are
of hosts without an adapter, as in a file of Common Crawl; the last one is a page of a known site with a listing, which
shows that the whole file was read. A second file, whose pages are of a known site and have to be parsed, is
measured for information.

    python benchmarks/saved.py [--megabytes 200] [--known-megabytes 20]
"""

import io
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from report import command_line, conclude, table
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from sneaker_assets.errors import SneakerError
from sneaker_assets.lake import Lake
from sneaker_assets.sources.saved.source import SavedSource

MIN_SHARE = 0.5
PAGE_BYTES = 60_000
REPEATS = 3
HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Server", "nginx"),
    ("Date", "Mon, 02 Mar 2026 10:00:00 GMT"),
    ("Cache-Control", "max-age=600"),
    ("Vary", "Accept-Encoding"),
    ("X-Frame-Options", "SAMEORIGIN"),
]
LISTING = (
    '<script type="application/ld+json">{"@context": "https://schema.org", "@type": "Product", "name": "Shoe 1", '
    '"productID": "1", "url": "https://stockx.com/shoe-1", "image": "https://images.stockx.com/1.jpg", '
    '"offers": {"@type": "AggregateOffer", "lowPrice": 120, "priceCurrency": "USD"}}</script>'
)


def main() -> None:
    """Measure both files, compressed and not, and report."""
    options = command_line(__doc__)
    options.add_argument("--megabytes", type=int, default=200, help="size of the pages of other hosts in all")
    options.add_argument("--known-megabytes", type=int, default=20, help="size of the pages of a known site in all")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = [
            measure(folder, "other hosts", "https://shop{}.example/page/{}", chosen.megabytes, compressed=True),
            measure(folder, "other hosts", "https://shop{}.example/page/{}", chosen.megabytes, compressed=False),
            measure(folder, "known site", "https://stockx.com/login/{}/{}", chosen.known_megabytes, compressed=True),
        ]
    table(rows)
    print()
    worst = min(rows[:2], key=lambda row: row["share of bare"])
    conclude(
        "saved",
        ours=worst["pages/s"],
        baseline=worst["bare pages/s"],
        unit="pages/s",
        claim=f"at least {MIN_SHARE:.0%}",
        holds=worst["share of bare"] >= MIN_SHARE,
        file=worst["file"],
        megabytes_per_second=worst["MB/s"],
        peak_megabytes=peak_megabytes(),
    )


def measure(folder: Path, pages: str, address: str, megabytes: int, *, compressed: bool) -> dict[str, Any]:
    """Write a file, read it in all three ways, and delete it.

    Each way is measured ``REPEATS`` times in turn, and its fastest time counts.
    """
    file = folder / ("pages.warc.gz" if compressed else "pages.warc")
    n_pages, n_bytes = write(file, address, megabytes * 1_000_000, compressed=compressed)
    bare, reading, ours = [], [], []
    for _ in range(REPEATS):
        bare.append(seconds(lambda: iterate(file, read=False)))
        reading.append(seconds(lambda: iterate(file, read=True)))
        ours.append(seconds(lambda: observe(folder)))
    file.unlink()
    return {
        "file": f"{pages}, {file.suffix}",
        "pages": n_pages,
        "bare pages/s": n_pages / min(bare),
        "reading pages/s": n_pages / min(reading),
        "pages/s": n_pages / min(ours),
        "MB/s": n_bytes / 1e6 / min(ours),
        "share of bare": min(bare) / min(ours),
        "peak MB": peak_megabytes(),
    }


def write(file: Path, address: str, n_bytes: int, *, compressed: bool) -> tuple[int, int]:
    """Write pages of random words; return their number and the number of their bytes."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 11))) for _ in range(5000)]
    bodies = [page(rng, words) for _ in range(50)]
    n_pages = max(1, n_bytes // PAGE_BYTES)
    with file.open("wb") as out:
        writer = WARCWriter(out, gzip=compressed)
        for number in range(n_pages):
            body = f"<!DOCTYPE html><title>{number}</title>".encode() + bodies[number % len(bodies)]
            write_record(writer, address.format(number % 500, number), body)
        write_record(writer, "https://stockx.com/shoe-1", LISTING.encode())
    return n_pages + 1, n_pages * PAGE_BYTES


def page(rng: random.Random, words: list[str]) -> bytes:
    """A page of paragraphs of random words, of ``PAGE_BYTES`` bytes."""
    parts: list[str] = []
    size = 0
    while size < PAGE_BYTES:
        parts.append(f'<div class="{rng.choice(words)}"><p>{" ".join(rng.choices(words, k=60))}</p></div>')
        size += len(parts[-1])
    return "".join(parts).encode()[:PAGE_BYTES]


def write_record(writer: WARCWriter, url: str, body: bytes) -> None:
    """Write one response."""
    headers = StatusAndHeaders("200 OK", [*HEADERS, ("Content-Length", str(len(body)))], protocol="HTTP/1.1")
    writer.write_record(writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=headers))


def iterate(file: Path, *, read: bool) -> None:
    """Read all records with warcio, with or without their bodies."""
    with file.open("rb") as stream:
        for record in ArchiveIterator(stream):
            if read and record.rec_type == "response":
                record.content_stream().read()


def observe(folder: Path) -> None:
    """Read all pages as the source of saved pages does."""
    seen = SavedSource(Lake.at(folder / "lake"), folder).observe("stockx")
    if list(seen["product_id"]) != ["1"]:
        raise SneakerError(f"expected the one listing of the file, found {len(seen)} rows")


def seconds(work: Callable[[], None]) -> float:
    """Duration of some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_megabytes() -> float:
    """Highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
