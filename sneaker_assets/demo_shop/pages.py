"""Storefronts: the pages and images of a site by path."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from sneaker_assets.demo_shop import farfetch_pages, html, stockx_pages
from sneaker_assets.demo_shop.catalogue import Product, ShopSite
from sneaker_assets.demo_shop.html import ResultPage

ROBOTS = "User-agent: *\nAllow: /\nDisallow: /checkout\nDisallow: /account\n"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths and page functions of a site; ``page_size`` in products, ``image_size`` in pixels (width, height)."""

    listing_path: str
    releases_path: str
    page_size: int
    image_size: tuple[int, int]
    product_path: Callable[[Product], str]
    listing_page: Callable[[ResultPage, str], str]
    product_page: Callable[[Product, str], str]


LAYOUTS: dict[ShopSite, Layout] = {
    "stockx": Layout(
        stockx_pages.LISTING_PATH,
        stockx_pages.RELEASES_PATH,
        stockx_pages.PAGE_SIZE,
        stockx_pages.IMAGE_SIZE,
        stockx_pages.product_path,
        stockx_pages.listing_page,
        stockx_pages.product_page,
    ),
    "farfetch": Layout(
        farfetch_pages.LISTING_PATH,
        farfetch_pages.RELEASES_PATH,
        farfetch_pages.PAGE_SIZE,
        farfetch_pages.IMAGE_SIZE,
        farfetch_pages.product_path,
        farfetch_pages.listing_page,
        farfetch_pages.product_page,
    ),
}


class Storefront:
    """One site of the shop on a given day."""

    def __init__(self, site: ShopSite, products: Iterable[Product], releases: Iterable[Product], today: date) -> None:
        self.layout = LAYOUTS[site]
        listed = [shown for p in (*products, *releases) if p.site == site and (shown := p.on(today))]
        self._on_sale = [p for p in listed if p.announced is None]
        self._coming = [p for p in listed if p.announced is not None]
        self._products = {self.layout.product_path(p): p for p in listed}
        self._images = {f"/images/{p.image_name}": p for p in listed}

    def image(self, path: str) -> Product | None:
        """Product whose image is at ``path``, None if there is none."""
        return self._images.get(path)

    def page(self, path: str, page: int, base: str) -> str | None:
        """HTML at a path, None if there is no such page.

        Args:
            path: Path of the URL.
            page: Number of the page of a listing, from 1.
            base: Base URL of the site.
        """
        if path in (self.layout.listing_path, "/"):
            return self._listing("Shoes", self.layout.listing_path, self._on_sale, page, base)
        if path == self.layout.releases_path:
            return self._listing("Coming soon", path, self._coming, page, base)
        product = self._products.get(path)
        return None if product is None else self.layout.product_page(product, base)

    def _listing(self, heading: str, path: str, products: list[Product], page: int, base: str) -> str | None:
        size = self.layout.page_size
        n_pages = max(1, -(-len(products) // size))
        if not 1 <= page <= n_pages:
            return None
        shown = products[(page - 1) * size : page * size]
        return self.layout.listing_page(ResultPage(heading, path, shown, page, n_pages, len(products)), base)


def not_found(site: str) -> str:
    """HTML of a 404 response."""
    return html.document(site, {}, "Not found", body="<h1>Not found</h1><p>There is nothing at this address.</p>")
