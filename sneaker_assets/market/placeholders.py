"""Placeholder pictures: one picture shown by many products whose titles and prices have nothing in common."""

import itertools
import random
import re
from collections.abc import Hashable, Sequence

import pandas as pd
from pydantic import Field

from sneaker_assets.settings.model import SettingsModel

_WORD = re.compile(r"[^\W\d_]+")
_MAX_TITLES = 100
"""Titles of a picture that are compared with one another."""


class PlaceholderSettings(SettingsModel):
    """Which pictures count as placeholders.

    All three conditions must hold. Copies of one shoe's picture (the same shoe at two sites, in several sizes or under
    several colour names) share most words of their titles. In a catalogue of 12,766 listings with 3,200 groups of
    copies, none has more than 5 products, and of those with 4 or 5 one has prices that differ by a factor of 2.
    """

    placeholder_min_products: int = Field(
        default=5, ge=2, description="Minimum number of products that show the same picture."
    )
    placeholder_max_title_overlap: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="Maximum mean share of words that two of their titles have in common (Jaccard index).",
    )
    placeholder_min_price_ratio: float = Field(
        default=2.0, ge=1, description="Minimum ratio of their highest to their lowest price."
    )


def find_placeholders(
    products: pd.DataFrame, picture: str, price: str, settings: PlaceholderSettings | None = None
) -> list[Hashable]:
    """Pictures that are placeholders.

    Args:
        products: One row per product, with its ``title``.
        picture: Column that identifies the product's picture.
        price: Column of its price; it may be missing.
        settings: Which pictures count as placeholders.

    Returns:
        Values of ``picture``, in order.
    """
    settings = settings or PlaceholderSettings()
    by_picture = products.groupby(picture)
    prices = by_picture[price].agg(["min", "max"])
    candidates = by_picture.size() >= settings.placeholder_min_products
    candidates &= prices["max"] >= settings.placeholder_min_price_ratio * prices["min"]
    return [
        name
        for name in candidates.index[candidates]
        if title_overlap(by_picture.get_group(name)["title"].tolist()) <= settings.placeholder_max_title_overlap
    ]


def title_overlap(titles: Sequence[str]) -> float:
    """Mean Jaccard index of the words of each two titles; 1 for a pair of which one has no words, and for one title.

    Digits are no part of a word, as the titles of an archive may be file names that differ in a number.

    Args:
        titles: Product titles; of more than 100, a random sample is compared, always the same.
    """
    sample = random.Random(0).sample(sorted(titles), min(len(titles), _MAX_TITLES))
    words = [set(_WORD.findall(title.casefold())) for title in sample]
    overlaps = [
        len(one & other) / len(one | other) if one and other else 1.0 for one, other in itertools.combinations(words, 2)
    ]
    return sum(overlaps) / len(overlaps) if overlaps else 1.0
