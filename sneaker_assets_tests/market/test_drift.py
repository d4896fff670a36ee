import numpy as np
import pandas as pd
import pytest

from sneaker_assets.market.drift import (
    distribution_distance,
    fence_drift,
    max_share_shift,
    population_stability,
    share_changed,
    share_lost,
)
from sneaker_assets_tests.builders import digest

KEY = ["site", "product_id"]


def products(*ids: str) -> pd.DataFrame:
    return pd.DataFrame({"site": "stockx", "product_id": ids})


def test_share_lost_counts_missing_rows_only() -> None:
    assert share_lost(products(*"abcd"), products(*"bcdxyz"), KEY) == 0.25
    assert share_lost(None, products("a"), KEY) == 0.0
    assert share_lost(products(), products("a"), KEY) == 0.0


def test_kind_that_appears_or_disappears_shifts_by_its_share() -> None:
    before = pd.DataFrame({"kind": ["list", "sale"], "share": [0.9, 0.1]})
    now = pd.DataFrame({"kind": ["list", "retail"], "share": [0.7, 0.3]})
    assert max_share_shift(before, now, ["kind"]) == pytest.approx(0.3)
    assert max_share_shift(before.head(0), now.head(0), ["kind"]) == 0.0


def test_population_stability_separates_equal_from_different_distributions() -> None:
    rng = np.random.default_rng(0)
    one, two = pd.Series(rng.lognormal(6, 0.6, 4000)), pd.Series(rng.lognormal(6, 0.6, 4000))
    assert population_stability(one, two) < 0.02
    assert population_stability(one, two * 1.5) > 0.25
    assert distribution_distance(one, two)[1] > 0.01
    assert distribution_distance(one, two * 1.5)[1] < 1e-9


def test_constant_prices_can_be_compared() -> None:
    same = pd.Series([100.0] * 5)
    assert population_stability(same, same) == 0.0
    assert population_stability(same, same + 1) > 1.0


def test_fence_drift_compares_common_scopes() -> None:
    before = pd.DataFrame({"scope": ["stockx", "farfetch"], "upper": [1000.0, 500.0]})
    now = pd.DataFrame({"scope": ["stockx", "other"], "upper": [1100.0, 5.0]})
    assert fence_drift(before, now) == pytest.approx(0.1)
    assert fence_drift(before, now.tail(1)) == 0.0


def test_share_changed_counts_new_missing_and_changed_products() -> None:
    rows = clean_rows(a=100.0, b=100.0, c=100.0, d=100.0)
    assert share_changed(rows, rows, 0.1) == 0.0
    assert share_changed(rows, clean_rows(a=109.0, b=92.0, c=100.0, d=100.0), 0.1) == 0.0
    assert share_changed(rows, clean_rows(a=111.0, b=100.0, c=100.0, d=100.0), 0.1) == 0.25
    assert share_changed(rows, clean_rows(b=100.0, c=100.0, d=100.0, e=100.0), 0.1) == 0.4
    assert share_changed(rows, rows.assign(sha256=["f" * 64, *rows["sha256"][1:]]), 0.1) == 0.25
    assert share_changed(rows.head(0), rows.head(0), 0.1) == 0.0


def clean_rows(**prices: float) -> pd.DataFrame:
    names = list(prices)
    return pd.DataFrame(
        {"site": "stockx", "product_id": names, "sha256": [digest(n) for n in names], "price": list(prices.values())}
    )
