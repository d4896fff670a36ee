import os
import statistics
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from sneaker_assets.demo_shop.catalogue import SHOP_DATE, Product, generate_catalogue, generate_releases
from sneaker_assets.demo_shop.design import MARKS, MATERIALS, SILHOUETTES, ShoeDesign
from sneaker_assets.demo_shop.prices import GRAIL_SHARE, QUANTILES, appearance, price_at

PUBLISHED_FENCE = 1369.5

FINGERPRINT = """
import hashlib
from sneaker_assets.demo_shop.catalogue import generate_catalogue, generate_releases
from sneaker_assets.demo_shop.shoes import draw_shoe, encode_jpeg
products = generate_catalogue(100, 7) + generate_releases(7)
pictures = [encode_jpeg(draw_shoe(p.design)) for p in products[:6]]
print(hashlib.sha256(repr(products).encode() + b"".join(pictures)).hexdigest())
"""


@pytest.fixture(scope="module")
def products() -> tuple[Product, ...]:
    return generate_catalogue(4000)


def prices_of(products: tuple[Product, ...]) -> np.ndarray:
    return np.array([p.price for p in products if p.price is not None])


def test_prices_have_the_published_quartiles(products: tuple[Product, ...]) -> None:
    assert np.percentile(prices_of(products), [25, 50, 75]) == pytest.approx([247, 457, 696], rel=0.06)


def test_about_four_percent_are_outliers(products: tuple[Product, ...]) -> None:
    assert float(np.mean(prices_of(products) > PUBLISHED_FENCE)) == pytest.approx(0.037, abs=0.01)


def test_full_catalogue_has_extreme_prices_within_the_published_range() -> None:
    prices = prices_of(generate_catalogue(12_897))
    assert 10_000 < prices.max() <= 38_538
    assert prices.min() >= 22


def test_quantiles_are_interpolated_in_log_price() -> None:
    assert [price_at(percent / 100) for percent in QUANTILES] == pytest.approx(list(QUANTILES.values()))
    assert price_at(0.35) == pytest.approx((284 * 367) ** 0.5)


def test_farfetch_lists_93_percent(products: tuple[Product, ...]) -> None:
    assert sum(p.site == "farfetch" for p in products) == 0.93 * len(products)
    assert {p.site for p in products[:2]} == {"stockx", "farfetch"}


def test_catalogue_is_reproducible_in_another_process() -> None:
    def fingerprint(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", FINGERPRINT], env=environment, check=True, capture_output=True, text=True
        )
        return run.stdout

    assert fingerprint("1") == fingerprint("2")


def test_products_of_a_smaller_shop_begin_those_of_a_larger_one(products: tuple[Product, ...]) -> None:
    assert generate_catalogue(500) == products[:500]
    assert generate_releases(n_releases=10) == generate_releases(n_releases=40)[:10]


def test_another_seed_gives_another_catalogue(products: tuple[Product, ...]) -> None:
    others = generate_catalogue(200, seed=2021)
    assert sum(a.design == b.design for a, b in zip(others, products, strict=False)) == 0


def attributes(design: ShoeDesign) -> list[float]:
    return [
        1.0,
        *(float(design.silhouette == s) for s in SILHOUETTES[1:]),
        *(float(design.material == m) for m in MATERIALS[1:]),
        *(float(design.mark == m) for m in MARKS[1:]),
        design.n_colours,
        design.sole_height,
        design.collar_height,
        design.saturation,
        float(design.gold_trim),
        float(design.toe_cap),
    ]


def r_squared(x: np.ndarray, y: np.ndarray) -> float:
    coefficients = np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - float(np.var(y - x @ coefficients) / np.var(y))


def test_design_explains_about_half_of_the_price_variance(products: tuple[Product, ...]) -> None:
    priced = [p for p in products if p.price is not None]
    x, y = np.array([attributes(p.design) for p in priced]), np.log(prices_of(products))
    assert 0.50 < r_squared(x, y) < 0.60
    assert r_squared(np.random.default_rng(0).permutation(x), y) < 0.02


def test_highest_prices_do_not_depend_on_the_design(products: tuple[Product, ...]) -> None:
    legends = [appearance(p.design) for p in products if p.price is not None and p.price > PUBLISHED_FENCE]
    dear = [appearance(p.design) for p in products if p.price is not None and 900 < p.price < price_at(1 - GRAIL_SHARE)]
    assert abs(statistics.mean(legends)) < 0.25
    assert statistics.mean(dear) > 0.8


def test_appearance_score_is_standardised(products: tuple[Product, ...]) -> None:
    scores = [appearance(p.design) for p in products]
    assert statistics.mean(scores) == pytest.approx(0, abs=0.08)
    assert statistics.stdev(scores) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("field", ["product_id", "slug", "image_name"])
def test_names_are_unique_within_a_site(products: tuple[Product, ...], field: str) -> None:
    for site in ("stockx", "farfetch"):
        names = [getattr(p, field) for p in products + generate_releases() if p.site == site]
        assert len(set(names)) == len(names)


def test_products_with_a_shared_image_have_one_design_and_similar_prices(products: tuple[Product, ...]) -> None:
    by_id = {p.product_id: p for p in products}
    pairs = [(p, by_id[p.image_of]) for p in products if p.image_of is not None]
    assert len(pairs) / len(products) == pytest.approx(0.08, abs=0.015)
    assert all(a.design == b.design and a.site == b.site and b.image_of is None for a, b in pairs)
    near = [a.price / b.price < 1.25 and b.price / a.price < 1.25 for a, b in pairs if a.price and b.price]
    assert 0.7 < statistics.mean(near) < 0.95


def test_some_shoes_are_listed_on_both_sites(products: tuple[Product, ...]) -> None:
    farfetch = {p.style_code: p for p in products if p.site == "farfetch"}
    shared = [(p, farfetch[p.style_code]) for p in products if p.site == "stockx" and p.style_code in farfetch]
    assert 0.1 < len(shared) / sum(p.site == "stockx" for p in products) < 0.3
    assert all((a.design, a.brand, a.release_date) == (b.design, b.brand, b.release_date) for a, b in shared)


def test_stockx_prices_are_consistent(products: tuple[Product, ...]) -> None:
    stockx = [p for p in products if p.site == "stockx"]
    unsold = [p for p in stockx if p.price is None]
    assert 0.01 < len(unsold) / len(stockx) < 0.1
    assert all(p.average_price is None and p.highest_bid is None for p in unsold)
    for p in stockx:
        assert 45 <= p.retail_price <= 350
        if p.price is not None and p.average_price and p.lowest_ask and p.highest_bid:
            assert p.highest_bid <= p.price <= p.lowest_ask
            assert p.average_price == pytest.approx(p.price, rel=0.3)


def test_farfetch_has_only_a_list_price(products: tuple[Product, ...]) -> None:
    farfetch = [p for p in products if p.site == "farfetch"]
    assert all(p.price == p.retail_price for p in farfetch)
    assert not any(p.lowest_ask or p.average_price or p.highest_bid for p in farfetch)


def test_catalogue_is_released_and_releases_are_not(products: tuple[Product, ...]) -> None:
    assert all(p.release_date < SHOP_DATE and p.on(SHOP_DATE) == p for p in products)
    releases = generate_releases()
    assert {p.site for p in releases} == {"stockx", "farfetch"}
    assert all(p.announced is not None and max(p.announced, SHOP_DATE) < p.release_date for p in releases)


def test_release_is_announced_before_it_is_released() -> None:
    release = next(p for p in generate_releases() if p.site == "stockx" and p.price is not None)
    assert release.announced is not None
    assert release.on(release.announced - timedelta(days=1)) is None
    expected = replace(release, price=None, average_price=None, lowest_ask=None, highest_bid=None)
    assert release.on(release.announced) == expected
    assert release.on(release.release_date) == replace(release, announced=None)
