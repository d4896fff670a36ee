"""Figures of the price history and of shoes at several sites."""

import json

import pandas as pd

from sneaker_assets import figures
from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.observations import price_history
from sneaker_assets.market.price_trends import price_trends
from sneaker_assets_tests.builders import observations


def test_largest_series_of_the_price_trends_are_drawn() -> None:
    rows = [{"site": f"shop{i}", "n_prices": 1 + i, "condition": "used" if i else None} for i in range(9)]
    seen = observations(*rows)
    figure = figures.price_trends(price_trends(price_history(seen, bundled_rates())))
    (axes,) = figure.axes
    names = [str(line.get_label()) for line in axes.get_lines()]
    assert names[0] == "shop8 last sale used (n = 9)"
    assert len(names) == 8
    assert "the largest 8 of 9 series" in axes.get_title(loc="left")


def test_trends_without_prices_are_an_empty_figure() -> None:
    figure = figures.price_trends(price_trends(price_history(observations({"amount": None}), bundled_rates())))
    assert not figure.axes[0].get_lines()


def test_prices_across_sites_are_relative_to_the_shoe() -> None:
    labels = [
        {"site": "stockx", "kind": "average_sale", "price": 100.0},
        {"site": "goat", "kind": "lowest_ask", "condition": "used", "price": 50.0},
    ]
    shoes = pd.DataFrame({"labels": [json.dumps(labels), "[]"], "median": [100.0, None]})
    (axes,) = figures.prices_across_sites(shoes).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        "goat\nlowest ask used (n = 1)",
        "stockx\naverage sale (n = 1)",
    ]
