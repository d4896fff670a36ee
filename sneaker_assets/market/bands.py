"""Price bands: the shoes that one generator learns from, and the finer ones that splits are balanced by."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd


@dataclass(frozen=True, slots=True)
class PriceBand:
    """Prices from ``lower`` (included) to ``upper`` (not included), US dollars."""

    name: str
    lower: float
    upper: float

    def select(self, listings: pd.DataFrame) -> pd.DataFrame:
        """The rows whose price lies in the band."""
        return listings[(listings["price"] >= self.lower) & (listings["price"] < self.upper)]


def price_bands(edges: Sequence[float]) -> dict[str, PriceBand]:
    """The bands between these edges (US dollars), by name: ``cheap`` and ``expensive``, or ``0-200`` and so on.

    Raises:
        ValueError: there is no edge, or they are no rising prices above 0.
    """
    bounds = [0.0, *edges, math.inf]
    if not edges or not all(lower < upper for lower, upper in pairwise(bounds)):
        raise ValueError(f"price bands need edges in dollars that rise from above 0, not {list(edges)}")
    names = [f"{lower:g}-{upper:g}" if upper < math.inf else f"{lower:g}+" for lower, upper in pairwise(bounds)]
    if len(edges) == 1:
        names = ["cheap", "expensive"]
    return {name: PriceBand(name, *ends) for name, ends in zip(names, pairwise(bounds), strict=True)}


_EDGES = (100, 200, 400, 800)


def band_of(price: float) -> str:
    """The fine band that a price (US dollars) lies in, such as ``100-200``; a band includes its lower edge."""
    edges = ("0", *map(str, _EDGES))
    place = bisect_right(_EDGES, price)
    return f"{edges[place]}-{edges[place + 1]}" if place < len(_EDGES) else f"{edges[place]}+"
