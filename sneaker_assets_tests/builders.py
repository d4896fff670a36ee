"""Small valid tables for tests; a row specifies only what matters to the test."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from sneaker_assets.demo_shop.catalogue import generate_catalogue
from sneaker_assets.demo_shop.shoes import draw_shoe
from sneaker_assets.lake import Lake, write_bytes
from sneaker_assets.tables import CleanListings, ImageProperties, Images, Listings, Observations

NOON = datetime(2020, 9, 24, 12, tzinfo=UTC)


def digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def observations(*rows: dict[str, Any]) -> pd.DataFrame:
    defaults = {
        "site": "stockx", "product_id": "p", "url": "http://stockx.test/p", "title": "Shoe", "brand": None,
        "style_code": None, "colourway": None, "image_url": "http://stockx.test/p.jpg", "retail_price": None,
        "release_date": None, "amount": 100.0, "currency": "USD", "label_kind": "last_sale", "size": None,
        "observed_at": NOON, "raw_text": None, "generation": "test",
    }  # fmt: skip
    frame = pd.DataFrame([defaults | row for row in rows])
    return Observations.validate(frame[[column for column in Observations.to_schema().columns if column in frame]])


def images(*rows: dict[str, Any]) -> pd.DataFrame:
    defaults = {
        "site": "stockx", "image_url": "http://stockx.test/p.jpg", "sha256": digest("p"), "n_bytes": 10, "width": 40,
        "height": 30, "problem": None,
    }  # fmt: skip
    return Images.validate(pd.DataFrame([defaults | row for row in rows]))


def listings(prices: Sequence[float | None], groups: Sequence[str] | None = None, site: str = "stockx") -> pd.DataFrame:
    """One listing per price; listings of the same group show the same image."""
    names = groups or [str(i) for i in range(len(prices))]
    frame = pd.DataFrame(
        {
            "site": site,
            "product_id": [f"p{i}" for i in range(len(prices))],
            "url": "http://stockx.test/p",
            "title": "Shoe",
            "brand": None,
            "style_code": None,
            "colourway": None,
            "retail_price": None,
            "release_date": None,
            "price": pd.array(prices, dtype="float64") if None not in prices else prices,
            "label_kind": ["unknown" if price is not None else None for price in prices],
            "amount": prices,
            "currency": "USD",
            "fx_rate": 1.0,
            "fx_date": NOON.replace(hour=0),
            "observed_at": [NOON + timedelta(minutes=i) for i in range(len(prices))],
            "sha256": [digest(name) for name in names],
            "width": 40,
            "height": 30,
            "left": 0, "top": 0, "right": 40, "bottom": 30, "red": 90.0, "green": 90.0, "blue": 90.0,
            "twin_group": [digest(name) for name in names],
        }
    )  # fmt: skip
    if None in prices:
        return Listings.validate(frame)
    return CleanListings.validate(frame.assign(listed_price=frame["price"]))


def raw_listings(
    prices: Sequence[float | None], groups: Sequence[str] | None = None, site: str = "stockx"
) -> pd.DataFrame:
    """The same listings before cleaning: ``Listings``."""
    return Listings.validate(listings(prices, groups, site).drop(columns="listed_price", errors="ignore"))


def pictures(*rows: dict[str, Any]) -> pd.DataFrame:
    """Properties of grey images of 40x30 pixels without border and hash; columns not named here get any valid value."""
    columns = ImageProperties.to_schema().columns
    defaults: dict[str, Any] = {
        **{name: None if column.nullable else 1 for name, column in columns.items()},
        "sha256": digest("p"), "first_seen": NOON, "left": 0, "top": 0, "right": 40, "bottom": 30, "red": 90.0,
        "green": 90.0, "blue": 90.0, "picture_hash": None, "recipe": "test",
    }  # fmt: skip
    return ImageProperties.validate(pd.DataFrame([defaults | row for row in rows]))


@cache
def drawn_shoe(number: int = 0) -> Image.Image:
    """A product shot of the offline shop, 470x214 pixels; each number is another shoe."""
    return draw_shoe(generate_catalogue(20)[number].design)


def store_image(lake: Lake, image: Image.Image, file_format: str = "PNG", **options: Any) -> str:
    """Store an image in the lake; returns its sha256."""
    file = io.BytesIO()
    image.save(file, format=file_format, **options)
    name = sha256(file.getvalue()).hexdigest()
    write_bytes(lake.image(name), file.getvalue())
    return name


def store_pictures(lake: Lake, count: int, seed: int = 0) -> dict[str, float]:
    """Store bright and dark images in the lake; returns sha256 to brightness in [0, 1]."""
    rng = np.random.default_rng(seed)
    stored = {}
    for brightness in rng.uniform(0.1, 1.0, count):
        pixels = (rng.uniform(0.9, 1.0, (24, 48, 3)) * brightness * 255).astype(np.uint8)
        path = lake.root / "picture.png"
        with path.open("wb") as file:
            Image.fromarray(pixels).save(file, format="PNG")
        data = path.read_bytes()
        name = sha256(data).hexdigest()
        write_bytes(lake.image(name), data)
        stored[name] = float(brightness)
    return stored
