"""Crawl the shop of ``crawler.py`` with Scrapy, fetching and decoding every image.

Either a bare spider decodes the images and discards them, or Scrapy's ``ImagesPipeline`` decodes them in full,
re-encodes them as JPEG and stores them under a hash. The last line of output is a JSON object with the number of images
and the duration of the crawl in seconds.

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
    """Fetches all listing pages and decodes every image once."""

    name = "shop"

    def __init__(self, base: str, decoded: set[str], *, draft: bool) -> None:
        super().__init__()
        self.start_urls = [f"{base}/shoes?page=1"]
        self.decoded, self.draft = decoded, draft

    def parse(self, response: Any) -> Iterator[Any]:
        """Follow the images and the next pages of a listing page; Scrapy filters duplicate requests."""
        page = response.json()
        for product in page["listings"]:
            yield self.request_image(product, response)
        for url in page["next"]:
            yield response.follow(url)

    def request_image(self, product: dict[str, Any], response: Any) -> Any:
        """Request the image of a product."""
        return response.follow(product["image"], self.parse_image)

    def parse_image(self, response: Any) -> None:
        """Decode an image, reading all of its bytes."""
        with Image.open(io.BytesIO(response.body)) as image:
            width, height = image.size
            if self.draft:
                image.draft("RGB", (width // 8, height // 8))
            image.load()
        self.decoded.add(response.url)


class StoringSpider(ShopSpider):
    """Leaves the images to Scrapy's ``ImagesPipeline``."""

    def request_image(self, product: dict[str, Any], response: Any) -> Any:
        """Item whose image the pipeline fetches and stores."""
        return {"image_urls": [response.urljoin(product["image"])]}

    @classmethod
    def from_crawler(cls, crawler: Any, *args: Any, **kwargs: Any) -> "StoringSpider":
        """Count the items that have passed the pipeline."""
        spider: StoringSpider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider.stored, signal=scrapy.signals.item_scraped)
        return spider

    def stored(self, item: dict[str, Any]) -> None:
        """Count the images of an item that has passed the pipeline."""
        self.decoded.update(image["url"] for image in item["images"])


def main() -> None:
    """Crawl the shop and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("--draft", action="store_true", help="decode at an eighth of the size, like our crawler")
    parser.add_argument("--store", help="folder for the ImagesPipeline; default: no pipeline")
    options = parser.parse_args()
    decoded: set[str] = set()
    pipeline = {"ITEM_PIPELINES": {"scrapy.pipelines.images.ImagesPipeline": 1}, "IMAGES_STORE": options.store}
    process = CrawlerProcess(SETTINGS | (pipeline if options.store else {}))
    spider = StoringSpider if options.store else ShopSpider
    process.crawl(spider, base=options.base, decoded=decoded, draft=options.draft)
    start = time.perf_counter()
    process.start()
    print(json.dumps({"images": len(decoded), "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
