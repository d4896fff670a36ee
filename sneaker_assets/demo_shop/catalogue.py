"""Random generation of the shop's products on two sites, and of its upcoming releases.

Each product is drawn with a random generator seeded by the shop's seed and its own number, so that the products of a
smaller shop are the first ones of a larger shop.
"""

import functools
import random
import re
import unicodedata
import uuid
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from sneaker_assets.demo_shop.brands import Shoe, design_shoe
from sneaker_assets.demo_shop.design import ShoeDesign
from sneaker_assets.demo_shop.prices import draw_price, near

ShopSite = Literal["stockx", "farfetch"]

SHOP_DATE = date(2020, 9, 24)
"""Date of the catalogue, by which all of its products have been released."""

STOCKX_PERCENT = 7
DUPLICATE_SHARE = 0.08
"""Share of the products that use the image of another one on the same site."""

CROSS_LISTED_SHARE = 0.2
"""Share of the StockX products that Farfetch lists too."""

UNSOLD_SHARE = 0.05
"""Share of the StockX products that have never been sold."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product as listed on one site; all prices are in whole US dollars.

    ``price`` is the last sale (StockX; None if the shoe was never sold) or the list price (Farfetch);
    ``average_price``, ``lowest_ask`` and ``highest_bid`` exist on StockX only. ``image_of`` is the ``product_id`` of
    the product whose image file this one shares. ``announced`` is the announcement date of an upcoming release, None
    for a released product.
    """

    site: ShopSite
    product_id: str
    slug: str
    brand: str
    model: str
    title: str
    style_code: str
    colourway: str
    release_date: date
    retail_price: int
    price: int | None
    design: ShoeDesign
    average_price: int | None = None
    lowest_ask: int | None = None
    highest_bid: int | None = None
    image_of: str | None = None
    announced: date | None = None

    @property
    def image_name(self) -> str:
        """File name of its image in the shop, unique per product."""
        return f"{self.slug}_{self.product_id}_470.jpg" if self.site == "farfetch" else f"{self.slug}-Product.jpg"

    def on(self, today: date) -> "Product | None":
        """The product as listed on a given day.

        A release is not listed (None) before its announcement, and has no market prices before its release.
        """
        if self.announced is None or self.release_date <= today:
            return replace(self, announced=None)
        if self.announced > today:
            return None
        list_price = self.price if self.site == "farfetch" else None
        return replace(self, price=list_price, average_price=None, lowest_ask=None, highest_bid=None)


@functools.lru_cache(maxsize=1)  # the shop is started anew for each crawl
def generate_catalogue(n_products: int = 800, seed: int = 2020) -> tuple[Product, ...]:
    """Products on sale, 93 % of them on Farfetch.

    Args:
        n_products: Number of products; product ``i`` does not depend on it.
        seed: Seed of the shop.

    Returns:
        The products by number, from 0.
    """
    products: list[Product] = []
    originals: dict[ShopSite, list[Product]] = {"stockx": [], "farfetch": []}
    for number in range(n_products):
        product = _product(number, seed, originals)
        products.append(product)
        if product.image_of is None:
            originals[product.site].append(product)
    return tuple(products)


@functools.lru_cache(maxsize=1)
def generate_releases(seed: int = 2020, n_releases: int = 60) -> tuple[Product, ...]:
    """Upcoming releases in the order of their announcement, one every second day.

    The first are announced before :data:`SHOP_DATE`; all are released after it, 15 to 30 days after their announcement.
    Their ``price`` is the one after the release.

    Args:
        seed: Seed of the shop.
        n_releases: Number of releases; release ``i`` does not depend on it.

    Returns:
        The releases by number, from 0.
    """
    return tuple(_release(number, seed) for number in range(n_releases))


def _site(number: int) -> ShopSite:
    """Site of a product; StockX products are spread evenly, beginning with the second product."""
    rank = STOCKX_PERCENT * number + 93
    return "stockx" if rank // 100 > (rank - STOCKX_PERCENT) // 100 else "farfetch"


def _product(number: int, seed: int, originals: dict[ShopSite, list[Product]]) -> Product:
    rng = random.Random(f"{seed}:product:{number}")
    site = _site(number)
    shoe, luck = design_shoe(rng), rng.random()
    price, style_code = draw_price(shoe.design, rng), _style_code(number, rng)
    release_date = SHOP_DATE - timedelta(days=rng.randint(1, 2200))
    original = None
    if luck < DUPLICATE_SHARE and originals[site]:
        original = rng.choice(originals[site])
        shoe = Shoe(original.brand, original.model, original.colourway, original.design)
        price = draw_price(shoe.design, rng) if rng.random() < 0.25 else near(original.price or price, 0.05, rng)
    elif site == "stockx" and luck > 1 - CROSS_LISTED_SHARE and originals["farfetch"]:
        same = originals["farfetch"][-1]
        shoe = Shoe(same.brand, same.model, same.colourway, same.design)
        price, style_code, release_date = near(same.price or price, 0.15, rng), same.style_code, same.release_date
    product = _listed(site, number, shoe, style_code=style_code, release_date=release_date, price=price, rng=rng)
    return replace(product, image_of=original.product_id) if original else product


def _release(number: int, seed: int) -> Product:
    rng = random.Random(f"{seed}:release:{number}")
    site: ShopSite = "farfetch" if number % 3 == 2 else "stockx"
    shoe = design_shoe(rng)
    announced = SHOP_DATE + timedelta(days=2 * number - 14)
    release_date = announced + timedelta(days=rng.randint(15, 30))
    price, style_code = draw_price(shoe.design, rng), _style_code(900_000 + number, rng)
    product = _listed(
        site, 900_000 + number, shoe, style_code=style_code, release_date=release_date, price=price, rng=rng
    )
    return replace(product, announced=announced)


def _listed(
    site: ShopSite,
    number: int,
    shoe: Shoe,
    *,
    style_code: str,
    release_date: date,
    price: float,
    rng: random.Random,
) -> Product:
    """The product as the site lists it, with the kinds of price that it states."""
    common = Product(
        site=site,
        product_id=str(15_000_000 + 7 * number),
        slug=_slug(f"{shoe.brand} {shoe.model} {style_code}"),
        brand=shoe.brand,
        model=shoe.model,
        title=f"{shoe.brand} {shoe.model} {shoe.colourway.replace('/', ' ')}",
        style_code=style_code,
        colourway=shoe.colourway,
        release_date=release_date,
        retail_price=round(price),
        price=round(price),
        design=shoe.design,
    )
    if site == "farfetch":
        return common
    unsold = rng.random() < UNSOLD_SHARE
    return replace(
        common,
        product_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        slug=_slug(f"{common.title} {style_code}"),
        retail_price=5 * round(min(max(near(price, 0.25, rng) / 1.2, 45), 350) / 5),
        price=None if unsold else round(price),
        average_price=None if unsold else round(near(price, 0.06, rng)),
        lowest_ask=None if unsold and number % 2 else round(price * rng.uniform(1.0, 1.15)),
        highest_bid=None if unsold else round(price * rng.uniform(0.75, 0.97)),
    )


def _style_code(number: int, rng: random.Random) -> str:
    letters = "".join(rng.choices("ABCDEFGHJKLMNPRSTUVWXYZ", k=2))
    return f"{letters}{number:06d}-{rng.randint(1, 999):03d}"


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
