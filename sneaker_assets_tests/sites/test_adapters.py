"""Every generation of every site, each a small page beside the listings expected of it."""

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
from sneaker_assets.sites import SITES, get_site, shopify, stockx_api
from sneaker_assets.sites.base import Listing, PageError, Site, merge_details

FIXTURES = Path(__file__).parent.parent / "fixtures"
ADAPTERS = {
    **SITES,
    "shopify": shopify.store("shop.example", "USD"),
    "stockx_api": stockx_api.site("key", "token"),
}
BARE = Listing("stockx", "1", "https://stockx.com/1", "Example", "", "api_v2")
CASES = sorted(str(file.parent.relative_to(FIXTURES)) for file in FIXTURES.glob("*/*/expected.json"))


def plain(value: Any) -> Any:
    """The value as its expected.json writes it: dates as text, nothing that is missing."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if inner is not None and inner != ()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value


def adapter(case: str) -> Site:
    return get_site(case.split("/", maxsplit=1)[0], ADAPTERS)


def content(case: str) -> bytes:
    return (FIXTURES / case / "page.html").read_bytes()


def expectation(case: str) -> Any:
    return json.loads((FIXTURES / case / "expected.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_page_reads_as_expected(case: str) -> None:
    expected = expectation(case)
    assert plain(asdict(adapter(case).parse_page(content(case), expected["url"]))) == expected["page"]


def reads_or_says_that_it_does_not(case: str, body: bytes) -> None:
    """An adapter gives listings or its own error, whatever the page; and what it gives is a table."""
    try:
        page = adapter(case).parse_page(body, expectation(case)["url"])
    except PageError:
        return
    assert (page.listed or 0) >= len(page.listings)
    shown = [*page.listings, *(BARE for _ in page.details)]
    observations((merge_details(listing, page.details), datetime.now(UTC)) for listing in shown)


@pytest.mark.parametrize("case", CASES)
def test_a_page_cut_short(case: str) -> None:
    body = content(case)
    for end in range(0, len(body), 101):
        reads_or_says_that_it_does_not(case, body[:end])


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
def test_a_mutated_page(case: str, data: st.DataObject) -> None:
    """Values swapped for others of another kind, bytes lost, repeated and made up."""
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
    reads_or_says_that_it_does_not(case, body)


@given(body=st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    for case in CASES[::4]:
        reads_or_says_that_it_does_not(case, body)


def test_every_generation_has_a_fixture() -> None:
    assert {expectation(case)["page"]["generation"] for case in CASES} >= {
        "next_data_search_2023",
        "next_data_search_2024",
        "next_data_product_2023",
        "next_data_product_2024",
        "browse_2020",
        "hydration_state",
        "initial_state",
        "json_ld",
        "listing_entries_2018",
        "markup_2015",
        "products_json",
        "api_v2_search",
        "api_v2_variants",
        "api_v2_market_data",
    }
    assert [case for case in CASES if case.startswith("stockx/json_ld")]


@pytest.mark.parametrize("name", ADAPTERS)
def test_page_without_listings_names_adapter_url_and_generations(name: str) -> None:
    with pytest.raises(PageError) as raised:
        ADAPTERS[name].parse_page(b"<html><body>We moved house.</body></html>", "https://example.com/shoes")
    message = str(raised.value)
    assert ADAPTERS[name].name in message
    assert "https://example.com/shoes" in message
    assert "generations tried: " in message


def test_unknown_site_lists_those_known() -> None:
    with pytest.raises(KeyError, match="known: farfetch, stockx"):
        get_site("ebay")
