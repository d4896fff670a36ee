"""The shop's calendar as a table: which shoe was announced when, and from when its price was known.

The offline shop knows its future, so that a year of it can be replayed without waiting for it.
"""

from datetime import date

import pandas as pd

from sneaker_assets.demo_shop.catalogue import SHOP_DATE, Product, generate_catalogue, generate_releases
from sneaker_assets.demo_shop.pages import LAYOUTS
from sneaker_assets.demo_shop.shoes import draw_shoe, encode_jpeg


def priced_products(n_products: int, seed: int, n_releases: int) -> tuple[Product, ...]:
    """What the shop sells on the day of its catalogue, and the releases after it; all have a price."""
    products = (*generate_catalogue(n_products, seed), *generate_releases(seed, n_releases))
    return tuple(product for product in products if product.price is not None)


def picture(product: Product) -> bytes:
    """The picture of a product, byte for byte as the shop serves it."""
    return encode_jpeg(draw_shoe(product.design, LAYOUTS[product.site].image_size))


def dates(products: tuple[Product, ...]) -> pd.DataFrame:
    """One row a product: ``release``, ``site``, ``product_id``, ``price`` (US dollars), ``label_kind``, ``asked_at``.

    ``asked_at`` is when it was announced, missing for what was on sale before; ``known_at`` is when its price became
    known: the day of its release, and of the catalogue for what was released before that.
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
