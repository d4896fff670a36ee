"""Price bands: the shoes that one generator learns from, and the finer ones that splits are balanced by."""

from bisect import bisect_right
from dataclasses import dataclass

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


PRICE_BANDS: dict[str, PriceBand] = {
    band.name: band for band in (PriceBand("cheap", 0, 500), PriceBand("expensive", 500, float("inf")))
}

_EDGES = (100, 200, 400, 800)


def band_of(price: float) -> str:
    """The fine band that a price (US dollars) lies in, such as ``100-200``; a band includes its lower edge."""
    edges = ("0", *map(str, _EDGES))
    place = bisect_right(_EDGES, price)
    return f"{edges[place]}-{edges[place + 1]}" if place < len(_EDGES) else f"{edges[place]}+"
