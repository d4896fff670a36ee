"""Scrapy's side of ``crawler.py``: the same shop, pages and pictures, each fetched and decoded.

Either a bare spider decodes them and keeps nothing, or Scrapy's own ``ImagesPipeline`` does what its users have it do:
decode in full, write as JPEG, store under a hash. Run by an interpreter that has Scrapy and Pillow; the last line is a
JSON object with what was decoded and how long it took, from the crawl's start to its end.

    python benchmarks/scrapy_side.py http://127.0.0.1:40123 --draft
    python benchmarks/scrapy_side.py http://127.0.0.1:40123 --store FOLDER
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

    def __init__(self, base: str, decoded: set[str], *, draft: bool) -> None:
        super().__init__()
        self.start_urls = [f"{base}/shoes?page=1"]
        self.decoded, self.draft = decoded, draft

    def parse(self, response: Any) -> Iterator[Any]:
        """Follow a listing page's pictures and further pages; each address is asked for once."""
        page = response.json()
        for product in page["listings"]:
            yield self.picture_of(product, response)
        for url in page["next"]:
            yield response.follow(url)

    def picture_of(self, product: dict[str, Any], response: Any) -> Any:
        """What is to be done about a product's picture."""
        return response.follow(product["image"], self.parse_picture)

    def parse_picture(self, response: Any) -> None:
        """Decode a picture from its first to its last byte."""
        with Image.open(io.BytesIO(response.body)) as image:
            width, height = image.size
            if self.draft:
                image.draft("RGB", (width // 8, height // 8))
            image.load()
        self.decoded.add(response.url)


class StoringSpider(ShopSpider):
    """The same, with pictures left to Scrapy's own pipeline."""

    def picture_of(self, product: dict[str, Any], response: Any) -> Any:
        """An item, of which the pipeline fetches and stores the picture."""
        return {"image_urls": [response.urljoin(product["image"])]}

    @classmethod
    def from_crawler(cls, crawler: Any, *args: Any, **kwargs: Any) -> "StoringSpider":
        """Count what the pipeline is done with."""
        spider: StoringSpider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider.stored, signal=scrapy.signals.item_scraped)
        return spider

    def stored(self, item: dict[str, Any]) -> None:
        """Called for each item that has passed the pipeline."""
        self.decoded.update(image["url"] for image in item["images"])


def main() -> None:
    """Crawl the shop once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("--draft", action="store_true", help="decode an eighth of the pixels, as our side does")
    parser.add_argument("--store", help="folder to which Scrapy's own pipeline stores the pictures")
    options = parser.parse_args()
    decoded: set[str] = set()
    pipeline = {"ITEM_PIPELINES": {"scrapy.pipelines.images.ImagesPipeline": 1}, "IMAGES_STORE": options.store}
    process = CrawlerProcess(SETTINGS | (pipeline if options.store else {}))
    spider = StoringSpider if options.store else ShopSpider
    process.crawl(spider, base=options.base, decoded=decoded, draft=options.draft)
    begun = time.perf_counter()
    process.start()
    print(json.dumps({"images": len(decoded), "seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
