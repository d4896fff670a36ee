"""Every generation of every site, each a small page beside the listings expected of it."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sneaker_assets.sites import SITES, get_site
from sneaker_assets.sites.base import PageError

FIXTURES = Path(__file__).parent.parent / "fixtures"
CASES = sorted(str(file.parent.relative_to(FIXTURES)) for file in FIXTURES.glob("*/*/expected.json"))


def plain(value: Any) -> Any:
    """The value as its expected.json writes it: dates as text, nothing that is missing."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if inner is not None and inner != ()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value


def expectation(case: str) -> Any:
    return json.loads((FIXTURES / case / "expected.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_page_reads_as_expected(case: str) -> None:
    expected = json.loads((FIXTURES / case / "expected.json").read_text())
    page = get_site(case.split("/", maxsplit=1)[0]).read_page(
        (FIXTURES / case / "page.html").read_bytes(), expected["url"]
    )
    assert plain(asdict(page)) == expected["page"]


@pytest.mark.parametrize("case", CASES)
def test_a_page_cut_short_reads_or_says_that_it_does_not(case: str) -> None:
    site, body = get_site(case.split("/", maxsplit=1)[0]), (FIXTURES / case / "page.html").read_bytes()
    for end in range(0, len(body), 101):
        try:
            site.read_page(body[:end], "https://example.com/listing")
        except PageError:
            continue


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
    }


@pytest.mark.parametrize("name", SITES)
def test_page_without_listings_names_adapter_url_and_generations(name: str) -> None:
    with pytest.raises(PageError) as raised:
        SITES[name].read_page(b"<html><body>We moved house.</body></html>", "https://example.com/shoes")
    message = str(raised.value)
    assert name in message
    assert "https://example.com/shoes" in message
    assert "generations tried: " in message


def test_unknown_site_lists_those_known() -> None:
    with pytest.raises(KeyError, match="known: farfetch, stockx"):
        get_site("ebay")
