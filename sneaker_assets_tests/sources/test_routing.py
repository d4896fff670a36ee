"""Assignment of sites to sources, and several sources as one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.lake import Lake
from sneaker_assets.settings.model import SettingsError
from sneaker_assets.sources.archive import ArchiveSource
from sneaker_assets.sources.base import SourceError
from sneaker_assets.sources.routing import Offer, RoutedSource, route_sites


def offer(*sites: str, default: Sequence[str] | None = None, any_store: bool = False, yields: bool = False) -> Offer:
    return Offer(frozenset(sites), frozenset(sites if default is None else default), any_store, yields)


LIVE = offer("farfetch", "goat", "stockx", default=("farfetch", "stockx"), any_store=True)
SAVED = offer("farfetch", "goat", "stockx", yields=True)


@pytest.mark.parametrize(
    ("offers", "chosen", "expected"),
    [
        ({"live": LIVE}, {}, {"farfetch": "live", "stockx": "live"}),
        ({"live": LIVE}, {"goat": None}, {"goat": "live"}),
        ({"live": LIVE}, {"shop.example.org": None}, {"shop.example.org": "live"}),
        ({"archive": offer("adidas", "nike")}, {}, {"adidas": "archive", "nike": "archive"}),
        (
            {"saved": SAVED, "live": LIVE},
            {},
            {"farfetch": "live", "goat": "saved", "stockx": "live"},
        ),
        ({"saved": SAVED, "live": LIVE}, {"stockx": "saved", "goat": None}, {"goat": "live", "stockx": "saved"}),
        ({"live": LIVE, "archive": offer("example.org")}, {"example.org": None}, {"example.org": "archive"}),
        ({"saved": SAVED}, {"goat": None}, {"goat": "saved"}),
    ],
)  # fmt: skip
def test_site_is_read_from_the_source_that_has_it(
    offers: Mapping[str, Offer], chosen: Mapping[str, str | None], expected: Mapping[str, str]
) -> None:
    assert route_sites(offers, chosen) == expected


@pytest.mark.parametrize(
    ("offers", "chosen", "message"),
    [
        ({"live": LIVE}, {"ebay": None}, "no site 'ebay': live has farfetch, goat, stockx and the host of any Shopify"),
        ({"archive": offer("nike")}, {"puma": None}, "SNEAKER_SITES: no site 'puma': archive has nike"),
        ({"archive": offer()}, {"puma": None}, "no site 'puma': archive has none"),
        ({"live": LIVE}, {"stockx": "saved"}, "stockx=saved, but SNEAKER_SOURCE is live: add saved to it"),
        (
            {"live": LIVE, "archive": offer("stockx")},
            {},
            "stockx is described by live and archive: choose one in SNEAKER_SITES, such as stockx=live",
        ),
        ({"live": LIVE, "archive": offer("nike")}, {"nike": "live"}, "no site 'nike': live has farfetch"),
    ],
)
def test_site_that_cannot_be_assigned_is_one_line(
    offers: Mapping[str, Offer], chosen: Mapping[str, str | None], message: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        route_sites(offers, chosen)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


NAMES = st.sampled_from(["a", "b", "c", "d"])


@given(st.dictionaries(st.sampled_from(["live", "archive", "saved"]), st.frozensets(NAMES), min_size=1), st.data())
def test_every_site_is_assigned_once_to_a_source_that_has_it(
    sites: Mapping[str, frozenset[str]], data: st.DataObject
) -> None:
    offers = {name: offer(*found, yields=name == "saved") for name, found in sites.items()}
    chosen = data.draw(st.dictionaries(NAMES, st.none() | st.sampled_from(["live", "archive", "saved"])))
    try:
        routes = route_sites(offers, chosen)
    except SettingsError:
        return
    assert set(routes) == (set(chosen) or set().union(*sites.values()))
    assert all(site in sites[name] for site, name in routes.items())
    assert all(chosen[site] in (None, name) for site, name in routes.items() if chosen)


def archive(lake: Lake, folder: Path, *names: str) -> ArchiveSource:
    (folder / "images").mkdir(parents=True)
    rows = [f"100,{name}" for name in names]
    (folder / "listings.csv").write_text("\n".join(["sale_price,image_name", *rows]))
    return ArchiveSource(lake, folder)


def test_routed_source_reads_each_site_where_it_is_assigned(lake: Lake, tmp_path: Path) -> None:
    first = archive(lake, tmp_path / "first", "a_1.jpg", "b_1.jpg")
    second = archive(lake, tmp_path / "second", "b_2.jpg", "b_3.jpg")
    source = RoutedSource({"a": first, "b": second, "c": second}, {})
    assert source.sites() == ["a", "b"]
    assert source.release_sites() == []
    assert source.observe("a")["product_id"].tolist() == ["a_1.jpg"]
    assert source.observe("b")["product_id"].tolist() == ["b_2.jpg", "b_3.jpg"]
    assert [source.report(site).yielded for site in ("a", "b")] == [1, 2]
    assert source.images("b", ["b_2.jpg"])["problem"].tolist() == ["not in the archive"]


def test_site_without_a_source_is_an_error_that_names_the_others(lake: Lake, tmp_path: Path) -> None:
    source = RoutedSource({"a": archive(lake, tmp_path / "folder", "a_1.jpg")}, {})
    for read in (source.observe, source.releases, source.report, lambda site: source.images(site, [])):
        with pytest.raises(SourceError, match="no source has the site 'z'; its sites: a"):
            read(site="z")
