"""Saved pages of every format, and the observations that they give."""

import gzip
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sneaker_assets.lake import Lake
from sneaker_assets.market.observations import append_observations
from sneaker_assets.sites import SITES, load_sites
from sneaker_assets.sites.base import Details, Listing, Page, PageError, Price, Site
from sneaker_assets.sources.base import SourceError
from sneaker_assets.sources.saved.records import parse_time
from sneaker_assets.sources.saved.source import SavedSource
from sneaker_assets.tables import Observations
from sneaker_assets_tests.sources.saved_files import (
    AT,
    LOGIN,
    Saved,
    har_entry,
    image_url,
    page,
    product,
    write_har,
    write_mhtml,
    write_warc,
)

Write = Callable[[Path], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    folder.mkdir()
    return folder


@pytest.fixture
def source(lake: Lake, folder: Path) -> SavedSource:
    return SavedSource(lake, folder)


def dated(file: Path, at: datetime = AT) -> Path:
    """The file with a time of its last modification."""
    os.utime(file, (at.timestamp(), at.timestamp()))
    return file


def write_html(file: Path, body: bytes, at: datetime = AT) -> Path:
    file.write_bytes(body)
    return dated(file, at)


def zipped(write: Write) -> Write:
    def compressed(file: Path) -> Path:
        plain = write(file)
        plain.with_name(f"{file.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
        return dated(plain.with_name(f"{file.name}.gz"))

    return compressed


CHROME = b"<!-- saved from url=(0026)https://stockx.com/shoe-1 -->\n"
SINGLE_FILE = (
    b"<!DOCTYPE html> <html><!--\n Page saved with SingleFile \n url: https://stockx.com/shoe-1 \n"
    b" saved date: Sun Mar 01 2026 11:30:00 GMT+0100 (Central European Standard Time)\n-->"
)
FORMATS: Mapping[str, tuple[str, Write]] = {
    "chrome": ("shoe.html", lambda file: write_html(file, CHROME + page(1))),
    "single_file": ("shoe.html", lambda file: write_html(file, SINGLE_FILE + page(1), AT + timedelta(days=9))),
    "canonical": (
        "shoe.htm",
        lambda file: write_html(file, page(1, head='<link href="https://stockx.com/shoe-1" rel=canonical>')),
    ),
    "og_url": (
        "shoe.html",
        lambda file: write_html(file, page(1, head="<meta property='og:url' content='https://stockx.com/shoe-1'/>")),
    ),
    "no_suffix": ("shoe", lambda file: write_html(file, b"\xef\xbb\xbf" + CHROME + page(1))),
    "mhtml": ("shoe.mhtml", lambda file: write_mhtml(file, product(1))),
    "mht_base64": ("shoe.mht", lambda file: write_mhtml(file, product(1), encoding="base64")),
    "har": ("session.har", lambda file: write_har(file, [product(1)])),
    "har_as_json": ("session.json", lambda file: write_har(file, [product(1)])),
    "warc": ("shoes.warc", lambda file: write_warc(file, [product(1)])),
    "warc_gz": ("shoes.warc.gz", lambda file: write_warc(file, [product(1)])),
}
ZIPPED = {f"{name}_zipped": (file, zipped(write)) for name, (file, write) in FORMATS.items() if name != "warc_gz"}


@pytest.mark.parametrize("name", [*FORMATS, *ZIPPED])
def test_every_format_gives_the_same_observation(name: str, folder: Path, source: SavedSource) -> None:
    file, write = {**FORMATS, **ZIPPED}[name]
    write(folder / file)

    seen = Observations.validate(source.observe("stockx"))

    assert source.sites() == source.release_sites() == ["stockx"]
    assert seen[
        ["product_id", "url", "title", "image_url", "amount", "currency", "label_kind"]
    ].to_numpy().tolist() == [["id-1", "https://stockx.com/shoe-1", "Shoe 1", image_url(1), 100.0, "USD", "lowest_ask"]]
    assert list(seen["observed_at"]) == [pd.Timestamp(AT)]
    assert (source.report("stockx").pages, source.report("stockx").complete) == (1, True)


def test_a_page_saved_in_all_formats_is_one_observation_and_a_later_one_another(
    folder: Path, source: SavedSource
) -> None:
    for name, (file, write) in FORMATS.items():
        (folder / name).mkdir()
        write(folder / name / file)
    write_har(folder / "later.har", [product(1, at=AT + timedelta(hours=2))])

    seen = source.observe("stockx")

    assert list(seen["observed_at"]) == [pd.Timestamp(AT), pd.Timestamp(AT + timedelta(hours=2))]
    assert source.report("stockx").pages == len(FORMATS) + 1


def test_reading_a_folder_again_adds_only_what_is_new(lake: Lake, folder: Path) -> None:
    write_har(folder / "first.har", [product(1), product(2)])
    first = SavedSource(lake, folder).observe("stockx")
    assert append_observations(first, SavedSource(lake, folder).observe("stockx")).equals(first)

    write_warc(folder / "second.warc.gz", [product(1), product(3, at=AT - timedelta(days=1))])
    again = append_observations(first, SavedSource(lake, folder).observe("stockx"))
    assert list(again["product_id"]) == ["id-1", "id-2", "id-3"]


def test_a_listing_page_and_a_product_page_are_two_observations(folder: Path, source: SavedSource) -> None:
    listing = Saved("https://stockx.com/sneakers", page(1, 2, price=90))
    write_har(folder / "session.har", [listing, product(1, at=AT + timedelta(minutes=1))])

    seen = source.observe("stockx")

    assert list(zip(seen["product_id"], seen["amount"], strict=True)) == [("id-1", 90), ("id-2", 90), ("id-1", 100)]


def test_pages_that_are_not_parsed_are_counted_by_reason(folder: Path, source: SavedSource) -> None:
    saved = [
        product(1),
        Saved("https://stockx.com/login", LOGIN),
        Saved("https://stockx.com/cart", LOGIN),
        product(2, body=b'<html><script type="application/ld+json">{"@type": "Product", </script>'),
        product(3, status=403),
        Saved("https://stockx.com/app.js", b"let x = 1", "text/javascript"),
        *(Saved(f"https://news.example/{number}", LOGIN) for number in range(3)),
        Saved("https://tracker.example/pixel.gif", b"GIF89a", "image/gif"),
    ]
    write_har(folder / "session.har", saved)

    source.observe("stockx")

    report = source.report("stockx")
    assert report.skipped == {
        "pages without a listing": 2,
        "responses with status 403": 1,
        "pages of news.example": 3,
    }
    assert (report.pages, report.unreadable, report.complete) == (1, 1, False)


def test_a_site_without_pages_is_an_error_that_names_those_of_the_folder(folder: Path, source: SavedSource) -> None:
    write_har(folder / "session.har", [product(1), product(2)])
    for site in ("farfetch", "kith.com"):
        with pytest.raises(SourceError, match=rf"no page of {site} is saved in .*; it has pages of: stockx \(2\)$"):
            source.observe(site)


def test_a_folder_of_unknown_sites_is_an_error_that_names_their_hosts(folder: Path, source: SavedSource) -> None:
    write_har(folder / "session.har", [Saved("https://shop.example/a", LOGIN), Saved("https://other.example/", LOGIN)])
    assert source.sites() == []
    with pytest.raises(SourceError, match=r"hosts of its pages: shop.example \(1\), other.example \(1\)"):
        source.observe("stockx")


def test_pages_without_a_listing_are_an_error_that_says_how_to_save_them(folder: Path, source: SavedSource) -> None:
    write_mhtml(folder / "shoe.mhtml", Saved("https://stockx.com/shoe-1", b"<html><body>Shoe 1</body></html>"))
    with pytest.raises(SourceError, match=r"have no listing: 1 pages without a listing.*as HAR, WARC or"):
        source.observe("stockx")
    assert source.releases("stockx").empty
    assert source.report("stockx").skipped == {"pages without a listing": 1}


@pytest.mark.parametrize("missing", [True, False])
def test_a_folder_that_is_missing_or_empty_is_an_error(lake: Lake, folder: Path, missing: bool) -> None:
    source = SavedSource(lake, folder / "missing" if missing else folder)
    with pytest.raises(SourceError, match="set SNEAKER_SAVED" if missing else "no page of a known site is saved in"):
        source.observe("stockx")


def test_hidden_files_companion_folders_and_files_of_other_formats_are_ignored(
    folder: Path, source: SavedSource
) -> None:
    write_html(folder / "shoe.html", CHROME + page(1))
    for name in ("shoe_files/saved_resource.html", ".cache/shoe.html", "notes.txt", ".DS_Store"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"just notes" if name == "notes.txt" else CHROME + page(2))
    os.mkfifo(folder / "pipe.html")

    assert list(source.observe("stockx")["product_id"]) == ["id-1"]
    assert source.report("stockx").failed == 0


def test_a_single_file_can_be_read(lake: Lake, folder: Path) -> None:
    write_html(folder / "other.html", CHROME + page(2))
    source = SavedSource(lake, write_har(folder / "session.har", [product(1)]))
    assert list(source.observe("stockx")["product_id"]) == ["id-1"]


PRODUCTS = {"products": [{"id": 7, "title": "Shoe", "handle": "shoe", "product_type": "Sneakers",
                          "images": [{"src": "https://cdn.shopify.com/7.jpg"}],
                          "variants": [{"id": 70, "title": "9", "option1": "9", "price": "120.00"}],
                          "options": [{"name": "Size", "values": ["9"]}]}]}  # fmt: skip


@pytest.fixture
def stores(lake: Lake, folder: Path) -> SavedSource:
    """Source that knows two Shopify stores, which recognise the same responses."""
    return SavedSource(lake, folder, load_sites(stores={"kith.com": "USD", "a.example": "EUR"}))


def test_a_response_without_address_belongs_to_the_site_that_its_folder_is_named_after(
    folder: Path, stores: SavedSource
) -> None:
    (folder / "kith.com" / "march").mkdir(parents=True)
    (folder / "kith.com" / "march" / "products.json").write_text(json.dumps(PRODUCTS))
    assert stores.sites() == ["kith.com"]
    seen = stores.observe("kith.com")
    assert list(seen["url"].unique()) == ["https://kith.com/products/shoe"]
    assert set(seen["currency"]) == {"USD"}


def test_a_response_without_address_has_it_in_a_file_beside_it(folder: Path, stores: SavedSource) -> None:
    (folder / "products.json").write_text(json.dumps(PRODUCTS))
    (folder / "products.json.url").write_text("[InternetShortcut]\nURL=https://a.example/products.json?page=2\n")
    assert set(stores.observe("a.example")["currency"]) == {"EUR"}


def test_a_response_without_address_belongs_to_the_only_site_that_recognises_it(
    folder: Path, source: SavedSource
) -> None:
    fixture = Path(__file__).parents[1] / "fixtures" / "stockx" / "graphql_2025"
    body = next(file for file in fixture.iterdir() if file.name.startswith("page")).read_bytes()
    (folder / "search.json").write_bytes(body)
    assert source.sites() == ["stockx"]
    assert len(source.observe("stockx")) > 0


def test_a_response_that_several_sites_or_none_recognise_is_named_with_the_remedy(
    folder: Path, stores: SavedSource
) -> None:
    (folder / "products.json").write_text(json.dumps(PRODUCTS))
    (folder / "package.json").write_text('{"name": "x"}')
    (folder / "other.json").write_text("[]")
    (folder / "other.json.url").write_text("https://news.example/")
    write_har(folder / "session.har", [product(1)])

    stores.observe("stockx")

    assert stores.report("stockx").skipped == {"files of unknown sites": 3}
    assert stores.report("stockx").complete
    (folder / "session.har").unlink()
    only = SavedSource(stores.lake, folder / "products.json", stores.sites_by_name)
    with pytest.raises(SourceError, match=r"several sites recognise it \(kith.com, a.example\): put it in a folder"):
        only.observe("kith.com")


def test_the_currency_that_the_headers_state_is_that_of_the_amounts(lake: Lake, folder: Path) -> None:
    body = json.dumps(PRODUCTS).encode()
    headers = {"Set-Cookie": "cart_currency=CAD; path=/"}
    saved = Saved("https://kith.com/products.json?page=1", body, "application/json", headers=headers)
    write_har(folder / "session.har", [saved])
    write_warc(folder / "pages.warc.gz", [replace(saved, at=AT + timedelta(days=1))])
    seen = SavedSource(lake, folder, load_sites(stores={"kith.com": None})).observe("kith.com")
    assert set(seen["currency"]) == {"CAD"}
    assert seen["observed_at"].nunique() == 2


def parse_parts(body: bytes, url: str) -> Page:
    """Adapter whose products and prices are on different pages."""
    try:
        found = json.loads(body)
    except ValueError as error:
        raise PageError(f"{url} is not JSON") from error
    listings = tuple(
        Listing("parts", name, f"{url}/{name}", name, "", "parts", prices=(Price(amount, "USD", "list"),))
        for name, amount in found.get("listings", {}).items()
    )
    details = tuple(
        Details(name, (Price(amount, "USD", "lowest_ask", variant="v"),), {"v": "9"})
        for name, amount in found.get("details", {}).items()
    )
    return Page(listings, "parts", details=details)


def test_details_are_added_to_the_listing_of_their_day(lake: Lake, folder: Path) -> None:
    site = Site("parts", "https://parts.example", "/", None, parse_parts)

    def saved(at: datetime, **content: Any) -> Saved:
        return Saved("https://parts.example/x", json.dumps(content).encode(), "application/json", at)

    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    later, next_week = noon + timedelta(hours=1), noon + timedelta(days=7)
    write_har(
        folder / "session.har",
        [
            saved(noon, listings={"a": 10, "b": 20}),
            saved(later, details={"a": 11, "unknown": 5}),
            saved(next_week, details={"b": 21}),
        ],
    )

    seen = SavedSource(lake, folder, {"parts": site}).observe("parts")

    rows = seen[["product_id", "amount", "label_kind", "size", "observed_at"]].astype(object)
    assert rows.where(rows.notna(), None).to_numpy().tolist() == [
        ["b", 20.0, "list", None, pd.Timestamp(noon)],
        ["a", 10.0, "list", None, pd.Timestamp(later)],
        ["a", 11.0, "lowest_ask", "9", pd.Timestamp(later)],
        ["b", 21.0, "lowest_ask", "9", pd.Timestamp(next_week)],
    ]


def coming(number: int, released: str | None) -> dict[str, Any]:
    traits = [] if released is None else [{"name": "Release Date", "value": released}]
    return {
        "id": f"id-{number}",
        "urlKey": f"shoe-{number}",
        "title": f"Shoe {number}",
        "media": {"imageUrl": image_url(number)},
        "market": {"currencyCode": "USD", "state": {"lowestAsk": {"amount": 100 + number}}},
        "productTraits": traits,
    }


def search(url: str, *nodes: dict[str, Any], at: datetime = AT) -> Saved:
    state = {"results": {"edges": [{"node": node} for node in nodes]}}
    body = f'<html><script id="__NEXT_DATA__" type="application/json">{json.dumps(state)}</script></html>'
    return Saved(url, body.encode(), at=at)


def test_releases_are_those_of_the_releases_page_and_those_with_a_later_date(lake: Lake, folder: Path) -> None:
    announced = "https://stockx.com/en-gb/new-releases/sneakers?page=1"
    write_har(
        folder / "session.har",
        [
            search(announced, coming(1, "2026-04-01"), coming(2, None), coming(3, "2026-02-01")),
            search(announced, coming(1, "2026-05-01"), at=AT + timedelta(days=1)),
            search("https://stockx.com/sneakers", coming(4, "2026-06-01"), coming(5, "2025-06-01"), coming(6, None)),
        ],
    )
    source = SavedSource(lake, folder, today=date(2026, 3, 5))

    releases = source.releases("stockx")

    dates = releases["release_date"].dt.strftime("%Y-%m-%d").fillna("unknown")
    expected = {"id-1": "2026-05-01", "id-2": "unknown", "id-4": "2026-06-01"}
    assert dict(zip(releases["product_id"], dates, strict=True)) == expected
    assert sorted(source.observe("stockx")["product_id"].unique()) == ["id-4", "id-5", "id-6"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.datetimes().map(str) | st.datetimes().map(datetime.isoformat))
def test_a_time_is_in_a_plausible_year_or_unknown(text: str) -> None:
    found = parse_time(text)
    assert found is None or (1990 <= found.year < 2200 and found.utcoffset() == timedelta())


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T10:30:00Z",
        "2026-03-01T11:30:00.000+01:00",
        "2026-03-01T10:30:00.0000000Z",
        "Sun, 01 Mar 2026 10:30:00 GMT",
        "Sun, 1 Mar 2026 11:30:00 +0100",
        "Sun Mar 01 2026 05:30:00 GMT-0500 (Eastern Standard Time)",
    ],
)
def test_times_are_read_as_files_write_them(text: str) -> None:
    assert parse_time(text) == AT


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    kinds=st.lists(st.sampled_from(["har", "warc", "warc.gz"]), min_size=6, max_size=6),
)
def test_observations_do_not_depend_on_how_pages_are_spread_over_files(
    numbers: list[int], kinds: list[str], lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    spread, together = tmp_path_factory.mktemp("spread"), tmp_path_factory.mktemp("together")
    pages = [product(number, at=AT + timedelta(hours=i)) for i, number in enumerate(numbers)]
    for i, (saved, kind) in enumerate(zip(pages, kinds, strict=False)):
        (write_har if kind == "har" else write_warc)(spread / f"{len(pages) - i}.{kind}", [saved])
    write_har(together / "all.har", pages)

    seen = [SavedSource(lake, folder).observe("stockx") for folder in (spread, together)]

    assert seen[0].equals(seen[1])
    assert len(seen[0]) == len(numbers)


def test_a_page_belongs_to_the_site_with_the_closest_domain(folder: Path, lake: Lake) -> None:
    products = json.dumps(PRODUCTS).encode()
    saved = [
        product(1, url="https://www.stockx.com/shoe-1"),
        Saved("https://eu.kith.com/products.json", products, "application/json"),
        Saved("https://kith.com/products.json", products, "application/json"),
        Saved("https://notkith.com/products.json", products, "application/json"),
    ]
    write_har(folder / "session.har", saved)
    source = SavedSource(lake, folder, load_sites(stores={"kith.com": "USD", "eu.kith.com": "EUR"}))
    assert source.sites() == ["eu.kith.com", "kith.com", "stockx"]
    assert [set(source.observe(site)["currency"]) for site in ("eu.kith.com", "kith.com")] == [{"EUR"}, {"USD"}]
    assert source.report("kith.com").skipped == {"pages of notkith.com": 1}


def test_har_entries_of_odd_types_are_skipped(folder: Path, source: SavedSource) -> None:
    entries = [None, 3, {}, {"request": {"url": 5}}, har_entry(product(1))]
    (folder / "session.har").write_text(json.dumps({"log": {"entries": entries}}))
    assert list(source.observe("stockx")["product_id"]) == ["id-1"]


def test_the_sites_of_the_registry_are_known(source: SavedSource) -> None:
    assert source.sites_by_name is SITES
