"""Crawler throughput compared with Scrapy, and requests sent during a Retry-After window.

Both crawl the same local shop in one run, without delays and obeying robots.txt: 100 listing pages and 2,000 images of
36 KB. Our crawler validates, hashes and stores each image and commits its progress. Scrapy is measured in three
configurations: with its own ``ImagesPipeline``, and as a bare spider that decodes the images, in full or reduced to an
eighth of the size like our crawler, and stores nothing. Claims: our crawler fetches at least twice as many images per
second as each of them, and with 8 threads sends no request between a 429 response and the end of its Retry-After of
two seconds, counted in the shop's log.

    pip install 'sneaker-assets[bench]'
    python benchmarks/crawler.py
    python benchmarks/crawler.py --folder /dev/shm

``--scrapy-python PATH`` names another interpreter that has Scrapy and Pillow. ``--folder`` is where images are stored:
on ext4, creating a file takes several times as long for some minutes after thousands of files were deleted, which
distorts the comparison.
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
from sneaker_assets.lake import Lake
from sneaker_assets.sources.web import WebSource
from sneaker_assets_tests.crawl.misbehaving_shop import RunningShop, running_shop
from sneaker_assets_tests.crawl.shop import shop_site

PAGES, PER_PAGE = 100, 20
RETRY_AFTER = 2.0
MIN_RATIO, MAX_IN_WINDOW = 2.0, 0
THREADS = 2
"""Threads of our crawler when throughput is measured; more only contend, since loopback has no latency."""

OURS = "ours"
SCRAPY = {
    "Scrapy, ImagesPipeline: decoded in full, re-encoded, stored": ("--store",),
    "Scrapy, bare spider: decoded in full": (),
    "Scrapy, bare spider: decoded at an eighth of the size": ("--draft",),
}


def ours(shop: RunningShop, threads: int, folder: Path) -> float:
    """Images per second of our crawler, without the time for lazy imports."""
    observations([])
    settings = FetchSettings(delay=0.0, threads=threads, allow_loopback=True)
    source = WebSource(Lake.at(tempfile.mkdtemp(dir=folder)), settings, sites={"shop": shop_site(shop.base)})
    start = time.perf_counter()
    images = source.images("shop", source.observe("shop")["image_url"])
    return float(images["problem"].isna().sum() / (time.perf_counter() - start))


def scrapy(shop: RunningShop, python: str, options: Sequence[str], folder: Path) -> float:
    """Images per second of Scrapy with 16 concurrent requests."""
    stored = [tempfile.mkdtemp(dir=folder)] if "--store" in options else []
    command = [python, str(Path(__file__).with_name("scrapy_side.py")), shop.base, *options, *stored]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return float(result["images"] / result["seconds"])


def requests_in_window(shop: RunningShop) -> int:
    """Number of requests received between the shop's first 429 response and the end of its Retry-After."""
    log = shop.log()
    refused = min(entry["answered_at"] for entry in log if entry["status"] == 429)
    return sum(refused <= entry["at"] < refused + RETRY_AFTER for entry in log)


def rates(python: str, repeats: int, pages: int, folder: Path) -> dict[str, float]:
    """Best throughput of each configuration; their runs alternate."""
    best = dict.fromkeys((OURS, *SCRAPY), 0.0)
    with running_shop(folder / "log.jsonl", pages=pages, per_page=PER_PAGE, width=700, height=500) as shop:
        for _ in range(repeats):
            best[OURS] = max(best[OURS], ours(shop, THREADS, folder))
            for name, options in SCRAPY.items():
                best[name] = max(best[name], scrapy(shop, python, options, folder))
    return best


def windows(python: str, folder: Path) -> tuple[int, int]:
    """Requests in the Retry-After window of our crawler and of Scrapy."""

    def count(crawl: Callable[[RunningShop], float]) -> int:
        with running_shop(folder / "log.jsonl", pages=20, per_page=20, busy_at=100, busy_for=RETRY_AFTER) as shop:
            crawl(shop)
            return requests_in_window(shop)

    return count(lambda shop: ours(shop, 8, folder)), count(lambda shop: scrapy(shop, python, (), folder))


def main() -> int:
    """Run all configurations; return 0 if the claims hold, 1 if not, 2 without Scrapy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scrapy-python", default=sys.executable, help="interpreter with Scrapy and Pillow")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--pages", type=int, default=PAGES, help="listing pages; results are comparable only for the default"
    )
    parser.add_argument("--folder", type=Path, help="where to store images; default: the folder for temporary files")
    options = parser.parse_args()
    python = options.scrapy_python
    if subprocess.run([python, "-c", "import scrapy, PIL"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("Scrapy is not installed: pip install 'sneaker-assets[bench]', or use --scrapy-python")
        return 2
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        best = rates(python, options.repeats, options.pages, Path(folder))
        in_window, scrapy_in_window = windows(python, Path(folder))
    ratios = {name: round(best[OURS] / rate, 2) for name, rate in best.items() if name != OURS}
    print(f"{OURS:56} {best[OURS]:6,.0f} images/s")
    for name, ratio in ratios.items():
        print(f"{name:56} {best[name]:6,.0f} images/s, ratio {ratio:.2f}")
    print(f"requests in the Retry-After window: {in_window:,} ours, {scrapy_in_window:,} Scrapy")
    summary: dict[str, Any] = {
        "name": "crawler",
        "ours": round(best[OURS], 1),
        "baseline": {name: round(best[name], 1) for name in SCRAPY},
        "ratios": ratios,
        "unit": "images/s fetched and decoded",
        "requests_in_retry_after_window": {"ours": in_window, "scrapy": scrapy_in_window},
        "claim": {"ratio": MIN_RATIO, "requests_in_retry_after_window": MAX_IN_WINDOW},
    }
    print(json.dumps(summary))
    return 0 if min(ratios.values()) >= MIN_RATIO and in_window == MAX_IN_WINDOW else 1


if __name__ == "__main__":
    sys.exit(main())
