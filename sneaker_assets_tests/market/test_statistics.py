"""Price statistics and price bands."""

import pandas as pd
import pytest

from sneaker_assets.market.bands import band_of, price_bands
from sneaker_assets.market.statistics import summarise_prices
from sneaker_assets.tables import PriceStatistics
from sneaker_assets_tests.builders import listings


def test_statistics_are_computed_per_population_and_site() -> None:
    both = pd.concat([listings([100.0, 200.0, 5000.0]), listings([300.0], site="farfetch")], ignore_index=True)
    table = PriceStatistics.validate(summarise_prices(both, both[both["price"] < 1000]))
    assert table[["population", "site", "n"]].values.tolist() == [
        ["raw", "all", 4], ["raw", "farfetch", 1], ["raw", "stockx", 3],
        ["clean", "all", 3], ["clean", "farfetch", 1], ["clean", "stockx", 2],
    ]  # fmt: skip
    assert table["maximum"].tolist() == [5000.0, 300.0, 5000.0, 300.0, 300.0, 200.0]


def test_bands_partition_the_prices() -> None:
    table = listings([1.0, 499.99, 500.0, 40000.0])
    assert {name: band.select(table)["price"].tolist() for name, band in price_bands((500.0,)).items()} == {
        "cheap": [1.0, 499.99],
        "expensive": [500.0, 40000.0],
    }


def test_bands_are_named_after_their_edges() -> None:
    bands = price_bands((200.0, 500.0))
    assert [(band.lower, band.upper) for band in bands.values()] == [(0, 200), (200, 500), (500, float("inf"))]
    assert list(bands) == ["0-200", "200-500", "500+"]


@pytest.mark.parametrize("edges", [(), (0.0,), (500.0, 200.0), (200.0, 200.0), (float("nan"),), (500.0, float("inf"))])
def test_edges_that_do_not_increase_are_an_error(edges: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="edges in dollars that are positive and increasing"):
        price_bands(edges)


@pytest.mark.parametrize(
    ("price", "band"), [(1.0, "0-100"), (99.99, "0-100"), (100.0, "100-200"), (799.0, "400-800"), (800.0, "800+")]
)
def test_fine_bands_include_their_lower_edge(price: float, band: str) -> None:
    assert band_of(price) == band
