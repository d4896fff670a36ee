"""Announcement and release dates of the shop's products, with which a year of the shop can be replayed."""

from datetime import date

import pandas as pd

from sneaker_assets.demo_shop.catalogue import SHOP_DATE, Product, generate_catalogue, generate_releases
from sneaker_assets.demo_shop.pages import LAYOUTS
from sneaker_assets.demo_shop.shoes import draw_shoe, encode_jpeg


def priced_products(n_products: int, seed: int, n_releases: int) -> tuple[Product, ...]:
    """Products of the catalogue and later releases that have a price.

    Args:
        n_products: Number of products of the catalogue.
        seed: Seed of the shop.
        n_releases: Number of releases.

    Returns:
        First the catalogue by number, then the releases in the order of their announcement.
    """
    products = (*generate_catalogue(n_products, seed), *generate_releases(seed, n_releases))
    return tuple(product for product in products if product.price is not None)


def picture(product: Product) -> bytes:
    """JPEG file of a product's image, identical to the one that the shop serves."""
    return encode_jpeg(draw_shoe(product.design, LAYOUTS[product.site].image_size))


def dates(products: tuple[Product, ...]) -> pd.DataFrame:
    """Table of the products with the times at which they were announced and their prices became known.

    Returns:
        One row per product: ``release``, ``site``, ``product_id``, ``price`` (US dollars), ``label_kind``, ``asked_at``
        (announcement, UTC; missing for products of the catalogue) and ``known_at`` (UTC; the release date, but not
        after the date of the catalogue for its products).
    """
    rows = [
        {
            "release": f"{product.site}--{product.product_id}",
            "site": product.site,
            "product_id": product.product_id,
            "price": float(product.average_price or product.price or 0),
            "label_kind": "average_sale" if product.average_price else "list",
            "asked_at": _midnight(product.announced),
            "known_at": _midnight(product.release_date if product.announced else min(product.release_date, SHOP_DATE)),
        }
        for product in products
    ]
    return pd.DataFrame(rows).astype({"asked_at": "datetime64[us, UTC]", "known_at": "datetime64[us, UTC]"})


def _midnight(day: date | None) -> pd.Timestamp | None:
    return None if day is None else pd.Timestamp(day, tz="UTC")
