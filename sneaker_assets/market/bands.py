"""Price bands: those that generators are trained on, and finer ones by which splits are stratified."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd


@dataclass(frozen=True, slots=True)
class PriceBand:
    """Half-open interval of prices ``[lower, upper)`` in US dollars."""

    name: str
    lower: float
    upper: float

    @property
    def edges(self) -> tuple[float, ...]:
        """Lower edge and, where there is one, upper edge."""
        return (self.lower,) if self.upper == math.inf else (self.lower, self.upper)

    def select(self, listings: pd.DataFrame) -> pd.DataFrame:
        """Rows of ``tables.Listings`` or similar whose price lies in the band."""
        return listings[(listings["price"] >= self.lower) & (listings["price"] < self.upper)]


def format_edges(edges: Sequence[float]) -> str:
    """Edges of a band, US dollars, in words: ``$0 to $500``, or ``$500 and more``."""
    lower, *upper = edges
    return f"${lower:g} to ${upper[0]:g}" if upper else f"${lower:g} and more"


def price_bands(edges: Sequence[float]) -> dict[str, PriceBand]:
    """Bands between the given edges, by name.

    Args:
        edges: US dollars, positive and increasing.

    Returns:
        ``cheap`` and ``expensive`` for a single edge, otherwise names such as ``0-200``, ``200-500`` and ``500+``.

    Raises:
        ValueError: There is no edge, or the edges are not positive and increasing.
    """
    bounds = [0.0, *edges, math.inf]
    if not edges or not all(lower < upper for lower, upper in pairwise(bounds)):
        raise ValueError(f"price bands need edges in dollars that are positive and increasing, not {list(edges)}")
    names = [f"{lower:g}-{upper:g}" if upper < math.inf else f"{lower:g}+" for lower, upper in pairwise(bounds)]
    if len(edges) == 1:
        names = ["cheap", "expensive"]
    return {name: PriceBand(name, *ends) for name, ends in zip(names, pairwise(bounds), strict=True)}


_FINE_EDGES = (100, 200, 400, 800)


def band_of(price: float) -> str:
    """Name of the fine band of a price (US dollars), such as ``100-200``; a band includes its lower edge."""
    edges = ("0", *map(str, _FINE_EDGES))
    index = bisect_right(_FINE_EDGES, price)
    return f"{edges[index]}-{edges[index + 1]}" if index < len(_FINE_EDGES) else f"{edges[index]}+"
