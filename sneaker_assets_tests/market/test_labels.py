from collections.abc import Mapping
from datetime import timedelta
from random import Random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.labels import (
    LABEL_ORDER,
    first_seen,
    has_usable_picture,
    label_listings,
    label_shares,
    latest_labels,
    without_pictures,
)
from sneaker_assets.market.observations import append_observations, price_history, with_whole_names
from sneaker_assets.tables import Listings
from sneaker_assets_tests.builders import NOON, digest, images, observations, pictures

RATES = bundled_rates()


def label_all(
    seen: pd.DataFrame, shown: pd.DataFrame, order: tuple[str, ...] = LABEL_ORDER, **more: object
) -> pd.DataFrame:
    known = pictures({**more}).assign(twin_group=digest("p"))
    return Listings.validate(label_listings(seen, price_history(seen, RATES), shown, known, order))


def label(*rows: Mapping[str, object], order: tuple[str, ...] = LABEL_ORDER) -> pd.DataFrame:
    return label_all(observations(*map(dict, rows)), images({}), order)


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


def test_price_in_an_unknown_currency_is_no_label() -> None:
    assert label({"currency": "XTS", "amount": 50.0})["price"].isna().all()


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


def labels_of(*rows: Mapping[str, object]) -> list[list[object]]:
    found = latest_labels(price_history(observations(*map(dict, rows)), RATES), [*LABEL_ORDER, "highest_bid"])
    return found[["price", "label_kind", "n_prices"]].values.tolist()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("last_sale", [720.0, "average_sale", 3]),
        ("average_sale", [720.0, "average_sale", 3]),
        ("unknown", [720.0, "unknown", 3]),
        ("lowest_ask", [95.0, "lowest_ask", 3]),
        ("list", [95.0, "list", 3]),
        ("sale", [95.0, "sale", 3]),
        ("highest_bid", [800.0, "highest_bid", 3]),
    ],
)
def test_several_prices_of_one_moment_are_summarised_by_kind(kind: str, expected: list[object]) -> None:
    rows = [{"label_kind": kind, "amount": amount} for amount in (95.0, 800.0, 720.0)]
    assert labels_of(*rows) == labels_of(*rows[::-1]) == [expected]


def test_single_sale_keeps_its_kind() -> None:
    assert labels_of({"label_kind": "last_sale", "amount": 95.0}) == [[95.0, "last_sale", 1]]


def test_repeated_price_counts_as_often_as_it_was_stated() -> None:
    rows = ({"amount": 95.0, "n_prices": 3}, {"amount": 700.0}, {"amount": 720.0})
    history = price_history(observations(*rows), RATES)
    assert history["n_prices"].tolist() == [5] * 5
    assert labels_of(*rows) == [[95.0, "average_sale", 5]]


def test_only_sales_of_the_last_moment_are_summarised() -> None:
    later = NOON + timedelta(days=1)
    rows = [{"amount": amount, "observed_at": later} for amount in (200.0, 300.0)]
    assert labels_of({"amount": 10.0}, {"amount": 20.0}, *rows) == [[250.0, "average_sale", 2]]


def test_unavailable_price_is_not_the_lowest() -> None:
    rows = [
        {"label_kind": "list", "amount": 180.0, "available": False},
        {"label_kind": "list", "amount": 1450.0, "available": True},
    ]
    assert labels_of(*rows) == [[1450.0, "list", 1]]


def test_median_over_several_currencies_is_in_dollars() -> None:
    rows = ({"amount": 100.0}, {"amount": 100.0, "currency": "EUR"}, {"amount": 300.0, "currency": "CAD"})
    (row,) = latest_labels(price_history(observations(*rows), RATES), LABEL_ORDER).to_dict("records")
    assert (row["currency"], row["fx_rate"]) == ("USD", 1.0)
    assert row["amount"] == row["price"] == pytest.approx(119.4)


def test_differing_retail_prices_become_their_median() -> None:
    rows = [{"amount": None, "retail_price": price, "retail_currency": "USD"} for price in (90.0, 130.0, 170.0)]
    assert label(*rows)["retail_price"].tolist() == [130.0]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(1, 1e5), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_label_of_sales_does_not_depend_on_their_order(amounts: list[float], random: Random) -> None:
    shuffled = sorted(amounts, key=lambda _: random.random())
    rows, others = ([{"amount": amount} for amount in order] for order in (amounts, shuffled))
    assert labels_of(*rows) == labels_of(*others)


def test_archive_history_is_identified_by_whole_names() -> None:
    earlier = observations({"product_id": "a", "image_url": "x/a.jpg", "generation": "archive"})
    now = observations({"product_id": "x/a.jpg", "image_url": "x/a.jpg", "generation": "archive"})
    assert append_observations(earlier, now)["product_id"].tolist() == ["x/a.jpg"]


def test_earlier_listings_of_an_archive_get_whole_names() -> None:
    now = observations(
        {"product_id": "x/a.jpg", "generation": "archive"}, {"product_id": "b", "generation": "next_data"}
    )
    earlier = pd.DataFrame({"site": "stockx", "product_id": ["a", "b", "gone"]})
    assert with_whole_names(earlier, now)["product_id"].tolist() == ["x/a.jpg", "b", "gone"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("used", 90.0, 1), ("new", 200.0, 0)], [200.0, "new"]),
        ([("used", 90.0, 1), (None, 200.0, 0)], [200.0, None]),
        ([("used", 90.0, 1), ("defects", 120.0, 0)], [120.0, "defects"]),
        ([("used", 90.0, 1), ("used", 80.0, 0)], [90.0, "used"]),
    ],
)
def test_new_shoes_are_preferred_over_later_prices_of_used_ones(
    rows: list[tuple[str | None, float, int]], expected: list[object]
) -> None:
    listings = label(
        *(
            {"condition": condition, "amount": amount, "observed_at": NOON + timedelta(days=day)}
            for condition, amount, day in rows
        )
    )
    found = listings[["price", "condition"]].astype(object)
    assert found.where(found.notna(), None).values.tolist() == [expected]


def test_sales_by_size_become_the_median_of_their_last_days() -> None:
    rows = [
        {"size": size, "amount": amount, "observed_at": NOON + timedelta(days=day)}
        for size, amount, day in (("9", 10.0, 0), ("9", 100.0, 31), ("10", 200.0, 45), ("11", 600.0, 60))
    ]
    assert labels_of(*rows) == labels_of(*rows[::-1]) == [[200.0, "average_sale", 3]]
    last = latest_labels(price_history(observations(*rows), RATES), sale_days=1)
    assert last[["price", "label_kind", "n_prices"]].values.tolist() == [[600.0, "last_sale", 1]]
    assert last["observed_at"].tolist() == [NOON + timedelta(days=60)]


def test_lowest_ask_of_all_sizes_of_the_last_moment_is_the_label() -> None:
    rows = [
        {"label_kind": "lowest_ask", "size": size, "amount": amount, "observed_at": NOON + timedelta(days=day)}
        for size, amount, day in (("9", 10.0, 0), ("9", 300.0, 1), ("10", 250.0, 1))
    ]
    assert labels_of(*rows) == [[250.0, "lowest_ask", 2]]


def test_prices_by_size_count_only_without_another_price() -> None:
    ask = {"label_kind": "lowest_ask", "amount": 300.0}
    sized = {"size": "9", "amount": 250.0, "observed_at": NOON + timedelta(days=1)}
    assert labels_of(ask, sized) == [[300.0, "lowest_ask", 1]]
    retail = {"amount": None, "retail_price": 120.0, "retail_currency": "USD"}
    assert labels_of(retail, sized) == [[250.0, "last_sale", 1]]


def test_median_at_several_rates_is_in_dollars() -> None:
    rows = [
        {"size": "9", "amount": 100.0, "currency": "EUR", "observed_at": NOON + timedelta(days=day)} for day in (0, 20)
    ]
    (row,) = latest_labels(price_history(observations(*rows), RATES)).to_dict("records")
    assert (row["currency"], row["fx_rate"]) == ("USD", 1.0)
    assert row["amount"] == row["price"]


def test_whether_a_picture_is_usable() -> None:
    assert has_usable_picture(images({}, {"image_url": "broken", "sha256": None, "problem": "half a JPEG"}))
    assert not has_usable_picture(images({"sha256": None, "problem": "half a JPEG"}))
    assert not has_usable_picture(images({}).head(0))


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (images({}).head(0), "1 products have prices, but none of them has a picture: price_observations and"),
        (
            images({"sha256": None, "problem": "half a JPEG"}),
            "1 products have prices, but none of the 1 pictures can be used (half a JPEG, for example): price_obs",
        ),
    ],
)
def test_message_without_pictures_says_what_is_there_and_what_to_add(shown: pd.DataFrame, found: str) -> None:
    message = without_pictures(price_history(observations({}, {"product_id": "q", "amount": None}), RATES), shown)
    assert message.startswith(found)
    assert "needs pictures, so add their files or addresses to the source" in message
    assert "\n" not in message
