"""Scrapy's side of ``crawler.py``: the same shop, pages and pictures, each fetched and decoded, items to memory.

Run by an interpreter that has Scrapy and Pillow; the last line is a JSON object with what was decoded and how long it
took, from the crawl's start to its end.

    python benchmarks/scrapy_side.py http://127.0.0.1:40123 --draft
"""

import argparse
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import scrapy
from PIL import Image
from scrapy.crawler import CrawlerProcess

SETTINGS = {
    "ROBOTSTXT_OBEY": True,
    "DOWNLOAD_DELAY": 0,
    "CONCURRENT_REQUESTS": 16,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
    "COOKIES_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
    "LOG_LEVEL": "CRITICAL",
}


class ShopSpider(scrapy.Spider):
    """Every listing page, and every picture once."""

    name = "shop"

    def __init__(self, base: str, items: list[dict[str, Any]], *, draft: bool) -> None:
        super().__init__()
        self.start_urls = [f"{base}/shoes?page=1"]
        self.items, self.draft = items, draft

    def parse(self, response: Any) -> Iterator[Any]:
        """Follow a listing page's pictures and further pages; each address is asked for once."""
        page = response.json()
        for product in page["listings"]:
            yield response.follow(product["image"], self.parse_picture)
        for url in page["next"]:
            yield response.follow(url)

    def parse_picture(self, response: Any) -> None:
        """Decode a picture from its first to its last byte."""
        with Image.open(io.BytesIO(response.body)) as image:
            width, height = image.size
            if self.draft:
                image.draft("RGB", (width // 8, height // 8))
            image.load()
        self.items.append({"url": response.url, "width": width, "height": height})


def main() -> None:
    """Crawl the shop once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("--draft", action="store_true", help="decode an eighth of the pixels, as our side does")
    options = parser.parse_args()
    items: list[dict[str, Any]] = []
    process = CrawlerProcess(SETTINGS)
    process.crawl(ShopSpider, base=options.base, items=items, draft=options.draft)
    begun = time.perf_counter()
    process.start()
    print(json.dumps({"images": len(items), "seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
