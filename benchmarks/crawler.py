"""Our crawler beside Scrapy: pictures fetched and decoded a second, and requests sent while a shop asks for rest.

Both crawl the same local shop in one run, delays off, robots.txt on: 100 listing pages, 2,000 pictures of 36 KB. Ours
also checks, names and stores each picture, and commits what it did. Scrapy decodes twice, once in full, as its own
pipeline would, and once an eighth of the pixels, as ours does; the ratio is to the faster one. The shop's log counts
what 8 threads sent between its 429 and the end of the two seconds that its Retry-After names.

    pip install 'sneaker-assets[bench]'
    python benchmarks/crawler.py

Scrapy may live elsewhere: ``--scrapy-python PATH`` names an interpreter that has it and Pillow.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sneaker_assets.crawl.observations import observations
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.crawl.source import WebSource
from sneaker_assets.lake import Lake
from sneaker_assets_tests.crawl.misbehaving_shop import RunningShop, running_shop
from sneaker_assets_tests.crawl.shop import shop_site

PAGES, PER_PAGE = 100, 20
REST = 2.0
FASTER, IN_WINDOW = 2.0, 0
THREADS = 2
"""Of ours where speed is measured: nothing on loopback is worth waiting for, and more threads only contend."""


def ours(shop: RunningShop, threads: int) -> float:
    """Pictures a second of our crawler; what its libraries import at their first use is not counted."""
    observations([])
    with tempfile.TemporaryDirectory() as folder:
        settings = FetchSettings(delay=0.0, threads=threads, allow_loopback=True)
        source = WebSource(Lake.at(folder), settings, sites={"shop": shop_site(shop.base)})
        begun = time.perf_counter()
        images = source.images("shop", source.observe("shop")["image_url"])
        seconds = time.perf_counter() - begun
    return float(images["problem"].isna().sum() / seconds)


def theirs(shop: RunningShop, python: str, *options: str) -> float:
    """Pictures a second of Scrapy, 16 requests at a time."""
    script = Path(__file__).with_name("scrapy_side.py")
    done = subprocess.run([python, str(script), shop.base, *options], stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return float(result["images"] / result["seconds"])


def requests_in_window(shop: RunningShop) -> int:
    """Requests that came after the shop's first 429 was sent and before the rest it asked for was over."""
    log = shop.log()
    refused = min(entry["answered_at"] for entry in log if entry["status"] == 429)
    return sum(refused <= entry["at"] < refused + REST for entry in log)


def rates(python: str, repeats: int, pages: int) -> dict[str, float]:
    """The best rate of each side, their runs taking turns."""
    best = {"ours": 0.0, "scrapy": 0.0, "scrapy, an eighth of the pixels": 0.0}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_shop(Path(folder) / "log.jsonl", pages=pages, per_page=PER_PAGE, width=700, height=500) as shop,
    ):
        for _ in range(repeats):
            found = (ours(shop, THREADS), theirs(shop, python), theirs(shop, python, "--draft"))
            best = {name: max(rate, now) for (name, rate), now in zip(best.items(), found, strict=True)}
    return best


def windows(python: str) -> tuple[int, int]:
    """Requests in the hold window, ours and Scrapy's."""
    counted = []
    for crawl in (lambda shop: ours(shop, 8), lambda shop: theirs(shop, python)):
        with (
            tempfile.TemporaryDirectory() as folder,
            running_shop(Path(folder) / "log.jsonl", pages=20, per_page=20, busy_at=100, busy_for=REST) as shop,
        ):
            crawl(shop)
            counted.append(requests_in_window(shop))
    return counted[0], counted[1]


def main() -> int:
    """Run both sides; 0 where what was asked for holds, 2 without Scrapy."""
    parser = argparse.ArgumentParser(description="Our crawler beside Scrapy.")
    parser.add_argument("--scrapy-python", default=sys.executable, help="an interpreter that has Scrapy and Pillow")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pages", type=int, default=PAGES, help="listing pages; fewer for a quick look, not a result")
    options = parser.parse_args()
    python = options.scrapy_python
    if subprocess.run([python, "-c", "import scrapy, PIL"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("Scrapy is not installed: pip install 'sneaker-assets[bench]', or name one with --scrapy-python")
        return 2
    best = rates(python, options.repeats, options.pages)
    held, scrapy_held = windows(python)
    scrapy = max(rate for name, rate in best.items() if name != "ours")
    for name, rate in best.items():
        print(f"{name:34} {rate:8,.0f} images/s")
    print(f"{'ours / the faster Scrapy':34} {best['ours'] / scrapy:8.2f}")
    print(f"{'requests in the hold window':34} {held:8,} ours, {scrapy_held:,} Scrapy's")
    summary: dict[str, Any] = {
        "name": "crawler",
        "ours": round(best["ours"], 1),
        "theirs": round(scrapy, 1),
        "ratio": round(best["ours"] / scrapy, 2),
        "unit": "images/s fetched and decoded",
        "requests_in_hold_window": {"ours": held, "theirs": scrapy_held},
        "asked_for": {"ratio": FASTER, "requests_in_hold_window": IN_WINDOW},
    }
    print(json.dumps(summary))
    return 0 if summary["ratio"] >= FASTER and held == IN_WINDOW else 1


if __name__ == "__main__":
    sys.exit(main())
