"""Adapters against fixture pages of every format, and against damaged pages."""

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sneaker_assets.crawl.observations import observations
from sneaker_assets.sites import SITES, kicksdb, shopify, stockx_api
from sneaker_assets.sites.base import Listing, PageError, Site, merge_details

FIXTURES = Path(__file__).parent.parent / "fixtures"
ADAPTED = {
    **SITES,
    # These depend on settings, so that they are not in the registry by default.
    "shopify": shopify.store("shop.example", "USD"),
    "stockx_api": stockx_api.site("key", "token"),
    "kicksdb_stockx": kicksdb.sites("key")[0],
    "kicksdb_goat": kicksdb.sites("key")[1],
}
"""Sites by the name of the folder of their fixtures."""

BARE = Listing("stockx", "1", "https://stockx.com/1", "Example", "", "api_v2")
CASES = sorted(str(file.parent.relative_to(FIXTURES)) for file in FIXTURES.glob("*/*/expected.json"))


def plain(value: Any) -> Any:
    """The value as JSON: dates as text, without missing and empty values."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if inner is not None and inner != ()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value


def adapter(case: str) -> Site:
    return ADAPTED[case.split("/", maxsplit=1)[0]]


def content(case: str) -> bytes:
    return (FIXTURES / case / "page.html").read_bytes()


def expectation(case: str) -> Any:
    return json.loads((FIXTURES / case / "expected.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_fixture_is_parsed_as_expected(case: str) -> None:
    expected = expectation(case)
    assert plain(asdict(adapter(case).parse_page(content(case), expected["url"]))) == expected["page"]


def check_that_it_parses_or_raises_page_error(case: str, body: bytes) -> None:
    """Parse any bytes; the result must be convertible to a table and have a declared format."""
    try:
        page = adapter(case).parse_page(body, expectation(case)["url"])
    except PageError:
        return
    assert (page.listed or 0) >= len(page.listings) + len(page.excluded)
    assert page.page_format in adapter(case).page_formats
    listings = [*page.listings, *page.excluded, *(BARE for _ in page.details)]
    observations((merge_details(listing, page.details), datetime.now(UTC)) for listing in listings)


@pytest.mark.parametrize("case", CASES)
def test_truncated_page_parses_or_raises_page_error(case: str) -> None:
    body = content(case)
    for end in range(0, len(body), 101):
        check_that_it_parses_or_raises_page_error(case, body[:end])


JSON_SCALARS = st.sampled_from(
    [
        b"null",
        b"true",
        b"0",
        b"-1",
        b"999999",
        b"1e999",
        b'""',
        b'"x"',
        b"[]",
        b"{}",
        b'"\\ud800"',
        b"12345678901234567890",
    ]
)


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_mutated_page_parses_or_raises_page_error(case: str, data: st.DataObject) -> None:
    """Values are replaced by values of other types; bytes are removed, repeated and inserted."""
    body = content(case)
    values = list(re.finditer(rb'(?<=: )("[^"\\]*"|[0-9.]+|null|true|false)', body))
    for value in sorted(
        data.draw(st.lists(st.sampled_from(values), max_size=4)) if values else [], key=lambda m: -m.start()
    ):
        body = body[: value.start()] + data.draw(JSON_SCALARS) + body[value.end() :]
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(len(body), start + 40)))
        body = (
            body[:start]
            + data.draw(st.sampled_from([b"", body[start:end] * 2, b"\x00", b"\xff\xfe", b"<", b'"', b"}"]))
            + body[end:]
        )
    check_that_it_parses_or_raises_page_error(case, body)


KEYS = """
@type @id @graph @value @list name url sku offers price lowPrice priceCurrency priceSpecification availability
hasVariant isVariantOf inProductGroupWithID productGroupID size itemListElement item mainEntity brand image category
products variants options tags product_type option1 option2 available compare_at_price collections handle title id
results edges node market state lowestAsk amount currencyCode productTraits value queryKey traits retailPrice
browseVerticals brands default productViewModel details productId shortDescription priceInfo initialPrice listingItems
items offerCount additionalProperty
"""
VALUES: list[Any] = [
    "Product", "ProductGroup", "ItemList", "ListItem", "AggregateOffer", "1.190,00", "-5", "EUR", 0, 9999, 1e308, -1,
    None, True, "", "https://other.example/a", "http://[bad", "/a", "\ud800", "Sneakers", "Caps", "42", "InStock", "#a",
    10**30,
]  # fmt: skip
NODES = st.recursive(
    st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=7),
    max_leaves=30,
)
TEMPLATES = {
    "stockx/json_ld_product": ('<script type="application/ld+json">', "</script>"),
    "stockx/next_data_search_2024": ('<script id="__NEXT_DATA__">', "</script>"),
    "stockx/graphql_2025": ('{"data": {"results": {"edges": [{"node": ', "}]}}}"),
    "farfetch/json_ld_product": ('<script type="application/ld+json">', "</script>"),
    "farfetch/hydration_product": ("<script>window.__HYDRATION_STATE__=", "</script>"),
    "shopify/products": ('{"products": [', "]}"),
}


@pytest.mark.parametrize("case", TEMPLATES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(node=NODES)
def test_any_structure_parses_or_raises_page_error(case: str, node: Any) -> None:
    before, after = TEMPLATES[case]
    check_that_it_parses_or_raises_page_error(case, f"{before}{json.dumps(node)}{after}".encode())


@given(body=st.binary(max_size=300))
def test_arbitrary_bytes_parse_or_raise_page_error(body: bytes) -> None:
    for case in CASES[::4]:
        check_that_it_parses_or_raises_page_error(case, body)


@pytest.mark.parametrize("name", ADAPTED)
def test_every_layout_of_every_page_format_has_a_fixture(name: str) -> None:
    declared = {
        layout: page_format for page_format, layouts in ADAPTED[name].page_formats.items() for layout in layouts
    }
    cases = [case for case in CASES if case.startswith(f"{name}/")]
    parsed = {case.partition("/")[2]: expectation(case)["page"]["page_format"] for case in cases}
    assert parsed == declared != {}


@pytest.mark.parametrize("name", ADAPTED)
def test_page_error_names_site_url_and_page_formats(name: str) -> None:
    with pytest.raises(PageError) as raised:
        ADAPTED[name].parse_page(b"<html><body>We moved house.</body></html>", "https://example.com/shoes")
    message = str(raised.value)
    assert ADAPTED[name].name in message
    assert "https://example.com/shoes" in message
    assert "page formats tried: " in message
