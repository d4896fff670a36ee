import pandas as pd
import pytest

from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.releases import (
    ReleaseError,
    announced_content,
    announcements,
    describe_release,
    release_key,
    release_site,
)
from sneaker_assets.tables import Releases
from sneaker_assets_tests.builders import images, observations

RATES = bundled_rates()


def test_release_key_round_trips() -> None:
    assert release_key("stockx", "air--one") == "stockx--air--one"
    assert release_site(release_key("xn--schuh.example", "air--one")) == "xn--schuh.example"
    with pytest.raises(ReleaseError, match="<site>--<product id>"):
        release_site("nonsense")


def test_content_changes_with_price_date_and_image_only() -> None:
    content = announced_content(observations({"retail_price": 100.0}))["stockx--p"]
    assert announced_content(observations({"retail_price": 100.0, "url": "http://else.test"}))["stockx--p"] == content
    for change in ({"retail_price": 110.0}, {"retail_price": 100.0, "image_url": "http://stockx.test/q.jpg"}):
        assert announced_content(observations(change))["stockx--p"] != content


def test_release_is_described_by_its_announcement_and_image() -> None:
    table = describe_release("stockx--p", announcements(observations({"retail_price": 100.0})), images({}), RATES)
    Releases.validate(table)
    assert table["retail_price"].tolist() == [100.0]


def test_list_price_is_used_if_no_retail_price_is_announced() -> None:
    for said, price in (({"label_kind": "list"}, 100.0), ({"label_kind": "lowest_ask"}, None)):
        (shown,) = describe_release("stockx--p", announcements(observations(said)), images({}), RATES)["retail_price"]
        assert shown == price or (price is None and pd.isna(shown))
    both = observations({"label_kind": "list", "retail_price": 90.0})
    assert describe_release("stockx--p", announcements(both), images({}), RATES)["retail_price"].tolist() == [90.0]


def test_release_without_an_image_is_an_error() -> None:
    announced = announcements(observations({"image_url": ""}))
    with pytest.raises(ReleaseError, match="stockx--p is announced without an image"):
        describe_release("stockx--p", announced, images({}), RATES)


@pytest.mark.parametrize(
    ("currency", "dollars"),
    [("EUR", 119.4), ("JPY", 0.94), (None, None), ("XTS", None)],
    ids=["euro", "yen", "unnamed", "no rate"],
)
def test_retail_price_in_another_currency_is_converted(currency: str | None, dollars: float | None) -> None:
    seen = observations({"retail_price": 100.0, "amount": None, "currency": currency})
    shoe = Releases.validate(describe_release("stockx--p", announcements(seen), images({}), RATES)).iloc[0]
    assert shoe["retail_amount"] == 100.0
    if dollars is None:
        assert pd.isna(shoe["retail_price"])
    else:
        assert shoe["retail_price"] == pytest.approx(dollars, rel=0.01)
        assert shoe["retail_price"] == pytest.approx(100 * shoe["fx_rate"])
        assert shoe["fx_date"] <= shoe["observed_at"]


def test_release_without_a_retail_price_has_no_rate() -> None:
    shoe = describe_release("stockx--p", announcements(observations({})), images({}), RATES).iloc[0]
    assert shoe[["retail_amount", "retail_price", "fx_rate"]].isna().all()


def test_withdrawn_release_is_named() -> None:
    with pytest.raises(ReleaseError, match="stockx--q is no longer announced"):
        describe_release("stockx--q", announcements(observations({})), images({}), RATES)


def test_release_with_an_invalid_image_is_an_error_with_the_reason() -> None:
    with pytest.raises(ReleaseError, match="image of stockx--p cannot be used: half a JPEG"):
        describe_release(
            "stockx--p", announcements(observations({})), images({"problem": "half a JPEG", "sha256": None}), RATES
        )


def test_a_picture_of_many_unrelated_releases_is_refused() -> None:
    titles = (
        "Dunk Low Panda",
        "Air Jordan Chicago",
        "Yeezy Boost Zebra",
        "Gel-Kayano Cream",
        "Old Skool Navy",
        "Suede",
    )
    rows = [{"product_id": f"p{i}", "title": title, "retail_price": 90.0 + 60 * i} for i, title in enumerate(titles)]
    announced = announcements(observations(*rows))
    with pytest.raises(ReleaseError, match="stockx--p1 is announced with a placeholder picture"):
        describe_release("stockx--p1", announced, images({}), RATES)
    own = announced.assign(image_url=[f"http://stockx.test/{i}.jpg" for i in range(6)])
    shown = images({"image_url": "http://stockx.test/1.jpg"})
    assert describe_release("stockx--p1", own, shown, RATES)["title"].tolist() == ["Air Jordan Chicago"]
