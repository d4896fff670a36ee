from datetime import timedelta

import pandas as pd
import pytest

from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.labels import LABEL_ORDER, first_seen, label_listings, label_shares
from sneaker_assets.market.observations import append_observations, price_history
from sneaker_assets.tables import Listings
from sneaker_assets_tests.builders import NOON, digest, images, observations, pictures

RATES = bundled_rates()


def label_all(
    seen: pd.DataFrame, shown: pd.DataFrame, order: tuple[str, ...] = LABEL_ORDER, **more: object
) -> pd.DataFrame:
    known = pictures({**more}).assign(twin_group=digest("p"))
    return Listings.validate(label_listings(seen, price_history(seen, RATES), shown, known, order))


def label(*rows: dict[str, object], order: tuple[str, ...] = LABEL_ORDER) -> pd.DataFrame:
    return label_all(observations(*rows), images({}), order)


def test_preferred_kind_wins_over_a_later_price() -> None:
    listings = label(
        {"label_kind": "average_sale", "amount": 300.0},
        {"label_kind": "lowest_ask", "amount": 350.0, "observed_at": NOON + timedelta(days=1)},
    )
    assert listings[["price", "label_kind"]].values.tolist() == [[300.0, "average_sale"]]


def test_order_of_kinds_is_configurable() -> None:
    rows = ({"label_kind": "average_sale", "amount": 300.0}, {"label_kind": "lowest_ask", "amount": 350.0})
    assert label(*rows, order=("lowest_ask", "average_sale"))["price"].tolist() == [350.0]
    assert label(*rows, order=("last_sale",))["price"].isna().all()
    with pytest.raises(ValueError, match="unknown kind of price wish; known: average_sale"):
        label(*rows, order=("wish",))


def test_latest_price_of_a_kind_is_used() -> None:
    listings = label({"amount": 100.0, "observed_at": NOON + timedelta(days=1)}, {"amount": 90.0})
    assert listings["price"].tolist() == [100.0]


def test_product_without_a_price_is_kept() -> None:
    listings = label({"amount": None})
    assert len(listings) == 1
    assert listings["price"].isna().all()
    assert listings["label_kind"].isna().all()


def test_retail_price_is_the_last_choice() -> None:
    listings = label({"amount": None, "retail_price": 120.0})
    assert listings[["price", "label_kind", "retail_price"]].values.tolist() == [[120.0, "retail", 120.0]]


def test_price_in_another_currency_is_converted() -> None:
    listings = label({"currency": "EUR", "amount": 50.0, "retail_price": 100.0})
    found = listings.iloc[0]
    assert found["price"] == pytest.approx(50 * 1.194)
    assert found["retail_price"] == pytest.approx(119.4)
    assert (found["amount"], found["currency"], found["fx_rate"]) == (50.0, "EUR", 1.194)
    assert found["fx_date"] == pd.Timestamp("2020-08-31", tz="UTC")


def test_prices_of_unknown_currency_or_single_sizes_are_no_labels() -> None:
    listings = label({"currency": "XTS", "amount": 50.0}, {"size": "44", "amount": 60.0})
    assert listings["price"].isna().all()


def test_product_without_a_valid_image_is_excluded() -> None:
    assert label_all(observations({}), images({"sha256": None, "problem": "half a JPEG"})).empty


def test_empty_tables_give_no_listings() -> None:
    assert label_all(observations({}).head(0), images({}).head(0)).empty


def test_same_product_id_on_two_sites_is_two_products() -> None:
    seen = observations({}, {"site": "farfetch", "amount": 70.0})
    one = label_all(seen, images({}, {"site": "farfetch", "image_url": "http://stockx.test/q.jpg"}))
    assert one["site"].tolist() == ["stockx"]
    shown = images({"image_url": "stockx"}, {"site": "farfetch", "image_url": "farfetch"})
    both = label_all(seen.assign(image_url=seen["site"]), shown)
    assert both["price"].tolist() == [70.0, 100.0]


def test_image_properties_are_joined_to_the_listing() -> None:
    listings = label_all(observations({}), images({}), left=4, right=30, red=200.0)
    assert listings[["left", "right", "width", "red"]].values.tolist() == [[4, 30, 40, 200.0]]


def test_image_is_first_seen_with_its_first_listing() -> None:
    seen = observations({"observed_at": NOON + timedelta(days=1)}, {"observed_at": NOON}, {"image_url": "broken"})
    shown = images({}, {"image_url": "broken", "sha256": None, "problem": "half a JPEG"})
    assert first_seen(seen, shown).values.tolist() == [[digest("p"), pd.Timestamp(NOON)]]


def test_label_shares_are_computed_per_site() -> None:
    shares = label_shares(label({"amount": None}))
    assert shares.values.tolist() == [["stockx", "none", 1.0]]


def test_history_is_appended_without_duplicates() -> None:
    first = observations({})
    again = append_observations(first, first)
    assert len(again) == 1
    later = append_observations(again, observations({"observed_at": NOON + timedelta(days=1)}))
    assert len(later) == 2


def test_product_without_an_image_url_keeps_its_last_one() -> None:
    pictures = [
        {"image_url": "http://stockx.test/old.jpg"},
        {"image_url": "http://stockx.test/new.jpg"},
        {"image_url": ""},
    ]
    history = observations(*pictures, {"product_id": "q", "image_url": ""})
    later = [
        {"product_id": product, "image_url": url, "observed_at": NOON + timedelta(days=1)}
        for product, url in (("p", ""), ("q", ""), ("p", "http://stockx.test/newest.jpg"))
    ]
    table = append_observations(history, observations(*later))
    assert table["image_url"].tolist()[4:] == ["http://stockx.test/new.jpg", "", "http://stockx.test/newest.jpg"]
    assert table["image_url"].tolist()[:4] == history["image_url"].tolist()
