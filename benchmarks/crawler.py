"""Our crawler beside Scrapy: pictures fetched and decoded a second, and requests sent while a shop asks for rest.

Both crawl the same local shop in one run, delays off, robots.txt on: 100 listing pages, 2,000 pictures of 36 KB. Ours
checks, names and stores each picture, and commits what it did. Scrapy has three goes: with its own ``ImagesPipeline``,
which is what its users get, and twice as a bare spider that decodes and keeps nothing, in full and an eighth of the
pixels, as ours does. 2 times is asked of ours beside each of them. The shop's log counts what 8 threads sent between
its 429 and the end of the two seconds that its Retry-After names.

    pip install 'sneaker-assets[bench]'
    python benchmarks/crawler.py
    python benchmarks/crawler.py --folder /dev/shm

Scrapy may live elsewhere: ``--scrapy-python PATH`` names an interpreter that has it and Pillow. ``--folder`` is where
both sides store: on a disk with ext4 a new file takes several times as long for some minutes after thousands were
deleted, which says nothing about crawlers.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
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


OURS = "ours"
SCRAPY = {
    "Scrapy's ImagesPipeline: full, encoded again, stored": ("--store",),
    "bare Scrapy, decoding in full": (),
    "bare Scrapy, an eighth of the pixels": ("--draft",),
}


def ours(shop: RunningShop, threads: int, folder: Path) -> float:
    """Pictures a second of our crawler; what its libraries import at their first use is not counted."""
    observations([])
    settings = FetchSettings(delay=0.0, threads=threads, allow_loopback=True)
    source = WebSource(Lake.at(tempfile.mkdtemp(dir=folder)), settings, sites={"shop": shop_site(shop.base)})
    begun = time.perf_counter()
    images = source.images("shop", source.observe("shop")["image_url"])
    return float(images["problem"].isna().sum() / (time.perf_counter() - begun))


def theirs(shop: RunningShop, python: str, options: Sequence[str], folder: Path) -> float:
    """Pictures a second of Scrapy, 16 requests at a time."""
    stored = [tempfile.mkdtemp(dir=folder)] if "--store" in options else []
    command = [python, str(Path(__file__).with_name("scrapy_side.py")), shop.base, *options, *stored]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return float(result["images"] / result["seconds"])


def requests_in_window(shop: RunningShop) -> int:
    """Requests that came after the shop's first 429 was sent and before the rest it asked for was over."""
    log = shop.log()
    refused = min(entry["answered_at"] for entry in log if entry["status"] == 429)
    return sum(refused <= entry["at"] < refused + REST for entry in log)


def rates(python: str, repeats: int, pages: int, folder: Path) -> dict[str, float]:
    """The best rate of each side, their runs taking turns."""
    best = dict.fromkeys((OURS, *SCRAPY), 0.0)
    with running_shop(folder / "log.jsonl", pages=pages, per_page=PER_PAGE, width=700, height=500) as shop:
        for _ in range(repeats):
            best[OURS] = max(best[OURS], ours(shop, THREADS, folder))
            for name, options in SCRAPY.items():
                best[name] = max(best[name], theirs(shop, python, options, folder))
    return best


def windows(python: str, folder: Path) -> tuple[int, int]:
    """Requests in the hold window, ours and Scrapy's."""

    def counted(crawl: Callable[[RunningShop], float]) -> int:
        with running_shop(folder / "log.jsonl", pages=20, per_page=20, busy_at=100, busy_for=REST) as shop:
            crawl(shop)
            return requests_in_window(shop)

    return counted(lambda shop: ours(shop, 8, folder)), counted(lambda shop: theirs(shop, python, (), folder))


def main() -> int:
    """Run both sides; 0 where what was asked for holds, 2 without Scrapy."""
    parser = argparse.ArgumentParser(description="Our crawler beside Scrapy.")
    parser.add_argument("--scrapy-python", default=sys.executable, help="an interpreter that has Scrapy and Pillow")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pages", type=int, default=PAGES, help="listing pages; fewer for a quick look, not a result")
    parser.add_argument(
        "--folder", type=Path, help="where to store pictures meanwhile; by default among temporary files"
    )
    options = parser.parse_args()
    python = options.scrapy_python
    if subprocess.run([python, "-c", "import scrapy, PIL"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("Scrapy is not installed: pip install 'sneaker-assets[bench]', or name one with --scrapy-python")
        return 2
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:  # all is deleted at the end, as said above
        best = rates(python, options.repeats, options.pages, Path(folder))
        held, scrapy_held = windows(python, Path(folder))
    ratios = {name: round(best[OURS] / rate, 2) for name, rate in best.items() if name != OURS}
    print(f"{OURS:56} {best[OURS]:6,.0f} images/s")
    for name, ratio in ratios.items():
        print(f"{name:56} {best[name]:6,.0f} images/s, ours is {ratio:.2f} times as fast")
    print(f"requests in the hold window: {held:,} ours, {scrapy_held:,} Scrapy's")
    summary: dict[str, Any] = {
        "name": "crawler",
        "ours": round(best[OURS], 1),
        "theirs": {name: round(best[name], 1) for name in SCRAPY},
        "ratios": ratios,
        "unit": "images/s fetched and decoded",
        "requests_in_hold_window": {"ours": held, "theirs": scrapy_held},
        "asked_for": {"ratio": FASTER, "requests_in_hold_window": IN_WINDOW},
    }
    print(json.dumps(summary))
    return 0 if min(ratios.values()) >= FASTER and held == IN_WINDOW else 1


if __name__ == "__main__":
    sys.exit(main())
