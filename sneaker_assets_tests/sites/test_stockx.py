"""Currencies of StockX's pages, and nodes that lack fields."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sneaker_assets.crawl.observations import observations
from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.observations import price_history
from sneaker_assets.sites import stockx
from sneaker_assets.sites.base import Listing

NODE = {
    "id": "a",
    "urlKey": "example",
    "title": "Example",
    "market": {"state": {"lowestAsk": {"amount": 69}}},
    "productTraits": [{"name": "Retail Price", "value": "130"}],
}


def results(*nodes: dict[str, Any], **around: Any) -> dict[str, Any]:
    return {"browse": {"results": {"edges": [{"node": node} for node in nodes], "pageInfo": {}}} | around}


def parse(state: Any, url: str = "https://stockx.com/sneakers") -> tuple[Listing, ...]:
    script = f'<script id="__NEXT_DATA__" type="application/json">{json.dumps(state)}</script>'
    return stockx.parse_page(script.encode(), url).listings


def currencies(state: Any, url: str = "https://stockx.com/sneakers") -> set[str | None]:
    return {price.currency for listing in parse(state, url) for price in listing.prices}


@pytest.mark.parametrize(
    ("state", "currency"),
    [
        ({"queries": [{"queryKey": ["Browse", {"currencyCode": "EUR"}], "state": {"data": results(NODE)}}]}, "EUR"),
        ({"variables": {"currencyCode": "gbp"}, "data": results(NODE)}, "GBP"),
        ({"currencyCode": "CAD", "data": results(NODE)}, "CAD"),
        ({"data": results(NODE, currency="JPY"), "currencyCode": "EUR"}, "JPY"),
        ({"queryKey": [{"currencyCode": "EUR"}, {"currencyCode": "USD"}], "data": results(NODE)}, None),
        ({"rates": [{"currencyCode": "USD"}], "data": results(NODE)}, None),
        ({"data": results(NODE)}, None),
    ],
)
def test_currency_is_that_of_the_query_or_state_around_the_results(state: Any, currency: str | None) -> None:
    assert currencies(state) == {currency}


def test_market_states_its_own_currency() -> None:
    node = NODE | {"market": {"currencyCode": "CHF", "state": {"lowestAsk": {"amount": 69}}}}
    assert currencies({"queryKey": [{"currencyCode": "EUR"}], "data": results(node)}) == {"CHF"}


def test_currency_of_the_address_is_used_where_the_page_states_none() -> None:
    assert currencies({"data": results(NODE)}, "https://stockx.com/sneakers?currencyCode=EUR") == {"EUR"}


@pytest.mark.parametrize("currency", ["USD", "CAD", "JPY"])
def test_retail_price_is_in_dollars_on_every_page(currency: str) -> None:
    listings = parse({"currencyCode": currency, "data": results(NODE)})
    seen = observations((listing, datetime(2023, 12, 18, tzinfo=UTC)) for listing in listings)
    history = price_history(seen, bundled_rates())
    assert history.loc[history["label_kind"] == "retail", "price"].tolist() == [130.0]


def test_amount_of_unknown_currency_is_a_problem_row() -> None:
    seen = observations((listing, datetime(2023, 12, 18, tzinfo=UTC)) for listing in parse(results(NODE)))
    history = price_history(seen, bundled_rates()).set_index("label_kind")
    assert history.loc["lowest_ask", "problem"] == "the currency is not known"


def test_unreadable_retail_price_is_a_problem_row() -> None:
    node = NODE | {"productTraits": [{"name": "Retail Price", "value": "about 130"}]}
    seen = observations((listing, datetime(2023, 12, 18, tzinfo=UTC)) for listing in parse(results(node)))
    history = price_history(seen, bundled_rates()).set_index("label_kind")
    assert history.loc["retail", "problem"] == "'about 130' is not one amount"


def test_product_without_a_url_key_is_found_by_its_id() -> None:
    node = {name: value for name, value in NODE.items() if name != "urlKey"} | {"brands": {"default": {"name": "Ex"}}}
    (listing,) = parse(results(node))
    assert (listing.product_id, listing.url, listing.brand) == ("a", "https://stockx.com/a", "Ex")
