from datetime import timedelta

import pandas as pd

from sneaker_assets.market.labels import label_listings
from sneaker_assets.market.observations import append_observations
from sneaker_assets.tables import Listings
from sneaker_assets_tests.builders import NOON, images, observations


def label(*rows: dict[str, object]) -> pd.DataFrame:
    return Listings.validate(label_listings(observations(*rows), images({})))


def test_the_preferred_kind_wins_over_the_later_one() -> None:
    listings = label(
        {"label_kind": "average_sale", "amount": 300.0},
        {"label_kind": "lowest_ask", "amount": 350.0, "observed_at": NOON + timedelta(days=1)},
    )
    assert listings[["price", "label_kind"]].values.tolist() == [[300.0, "average_sale"]]


def test_of_one_kind_the_latest_wins() -> None:
    listings = label({"amount": 100.0, "observed_at": NOON + timedelta(days=1)}, {"amount": 90.0})
    assert listings["price"].tolist() == [100.0]


def test_a_missing_price_is_missing_and_the_listing_stays() -> None:
    listings = label({"amount": None})
    assert len(listings) == 1
    assert listings["price"].isna().all()
    assert listings["label_kind"].isna().all()


def test_retail_is_the_last_resort() -> None:
    listings = label({"amount": None, "retail_price": 120.0})
    assert listings[["price", "label_kind", "retail_price"]].values.tolist() == [[120.0, "retail", 120.0]]


def test_prices_in_other_currencies_and_of_single_sizes_are_no_label() -> None:
    listings = label({"currency": "EUR", "amount": 50.0}, {"size": "44", "amount": 60.0})
    assert listings["price"].isna().all()


def test_a_product_without_a_usable_image_is_left_out() -> None:
    table = label_listings(observations({}), images({"sha256": None, "problem": "half a JPEG"}))
    assert table.empty


def test_the_same_product_id_at_two_sites_is_two_products() -> None:
    seen = observations({}, {"site": "farfetch", "amount": 70.0})
    table = label_listings(seen, images({}, {"site": "farfetch", "image_url": "http://stockx.test/q.jpg"}))
    assert table["site"].tolist() == ["stockx"]
    both = label_listings(
        seen.assign(image_url=seen["site"]),
        images({"image_url": "stockx"}, {"site": "farfetch", "image_url": "farfetch"}),
    )
    assert both["price"].tolist() == [70.0, 100.0]


def test_history_grows_and_repeats_nothing() -> None:
    first = observations({})
    again = append_observations(first, first)
    assert len(again) == 1
    later = append_observations(again, observations({"observed_at": NOON + timedelta(days=1)}))
    assert len(later) == 2
