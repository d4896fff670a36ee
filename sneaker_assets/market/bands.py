"""Price bands: the shoes that one generator learns from."""

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
