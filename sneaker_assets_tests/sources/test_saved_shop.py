"""The offline shop crawled, and its pages saved and read back: the same listings and images."""

import http.client
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pandas as pd
import pytest

from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.demo_shop import DemoShop
from sneaker_assets.demo_shop.catalogue import SHOP_DATE
from sneaker_assets.lake import Lake
from sneaker_assets.sites import SITES
from sneaker_assets.sites.base import Site
from sneaker_assets.sources.demo import DEMO_SITES
from sneaker_assets.sources.saved.source import SavedSource
from sneaker_assets.sources.web import WebSource
from sneaker_assets_tests.sources.chromium import open_chromium
from sneaker_assets_tests.sources.saved_files import Saved, write_entries, write_har, write_warc

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WGET = shutil.which("wget")


@dataclass(frozen=True)
class Crawled:
    """The shop while it is open, and what a crawl of it found, by site."""

    addresses: Mapping[str, str]
    listings: Mapping[str, pd.DataFrame]
    releases: Mapping[str, pd.DataFrame]
    images: Mapping[str, pd.DataFrame]
    responses: Mapping[str, list[Saved]]

    def sites(self) -> dict[str, Site]:
        """The sites under the permanent names of the shop's servers."""
        return {name: replace(SITES[name], home=f"http://{name}.localhost") for name in DEMO_SITES}

    def pages(self, site: str) -> list[Saved]:
        return [saved for saved in self.responses[site] if saved.media_type == "text/html"]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    with DemoShop(n_products=90) as shop:
        lake = Lake.at(tmp_path_factory.mktemp("crawl") / "lake")
        settings = FetchSettings(delay=0.0, allow_loopback=True)
        source = WebSource(
            lake, settings, homes=shop.addresses, sites_by_name={name: SITES[name] for name in DEMO_SITES}
        )
        listings = {site: source.observe(site) for site in DEMO_SITES}
        releases = {site: source.releases(site) for site in DEMO_SITES}
        urls = {site: [*listings[site]["image_url"], *releases[site]["image_url"]] for site in DEMO_SITES}
        images = {site: source.images(site, urls[site]) for site in DEMO_SITES}
        responses = {site: list(_responses(shop.addresses[site], site, urls[site])) for site in DEMO_SITES}
        yield Crawled(dict(shop.addresses), listings, releases, images, responses)


def _responses(address: str, site: str, image_urls: Iterable[str]) -> Iterator[Saved]:
    """Responses of the shop under the permanent name of a site: all listing pages, the releases, and the pictures."""
    start, releases = (
        urljoin(f"http://{site}.localhost", path or "") for path in (SITES[site].start_path, SITES[site].releases_path)
    )
    number, page = 1, _get(address, start)
    while page.status == 200:
        yield page
        number += 1
        page = _get(address, f"{start}?page={number}")
    yield _get(address, releases)
    yield from (_get(address, url) for url in dict.fromkeys(image_urls))


def _get(address: str, url: str) -> Saved:
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    parts = urlsplit(url)
    connection.request("GET", parts._replace(scheme="", netloc="").geturl(), headers={"Host": parts.netloc})
    response = connection.getresponse()
    body, media_type = response.read(), response.headers.get_content_type()
    connection.close()
    return Saved(url, body, media_type, status=response.status)


def assert_same(crawled: Crawled, folder: Path, lake: Lake) -> None:
    """The saved pages give the listings, releases and images of the crawl, apart from the times."""
    source = SavedSource(lake, folder, crawled.sites(), today=SHOP_DATE)
    assert list(source.sites()) == sorted(DEMO_SITES)
    for site in DEMO_SITES:
        assert_rows(source.observe(site), crawled.listings[site])
        assert_rows(source.releases(site), crawled.releases[site])
        assert source.report(site).complete
        images = source.images(site, crawled.images[site]["image_url"])
        pd.testing.assert_frame_equal(images, crawled.images[site])
        assert all(lake.image(sha256).exists() for sha256 in images["sha256"])


def assert_rows(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    order = ["product_id", "label_kind", "size", "amount"]
    found, expected = (
        table.drop(columns="observed_at").sort_values(order, ignore_index=True) for table in (found, expected)
    )
    pd.testing.assert_frame_equal(found, expected)


def test_a_warc_file_of_the_shop_gives_what_a_crawl_gives(crawled: Crawled, tmp_path: Path, lake: Lake) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    write_warc(folder / "shop.warc.gz", [saved for site in DEMO_SITES for saved in crawled.responses[site]])
    assert_same(crawled, folder, lake)


def test_a_har_file_of_the_shop_gives_what_a_crawl_gives(crawled: Crawled, tmp_path: Path, lake: Lake) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    for site in DEMO_SITES:
        write_har(folder / f"{site}.har", crawled.responses[site])
    assert_same(crawled, folder, lake)


def test_complete_pages_of_the_shop_give_what_a_crawl_gives(crawled: Crawled, tmp_path: Path, lake: Lake) -> None:
    folder = tmp_path / "saved"
    for site in DEMO_SITES:
        (folder / site).mkdir(parents=True)
        pictures = {saved.url: saved.body for saved in crawled.responses[site] if saved.media_type == "image/jpeg"}
        for number, saved in enumerate(crawled.pages(site)):
            comment = f"<!-- saved from url=({len(saved.url):04})_{saved.url} -->".replace(")_", ")")
            (folder / site / f"{number}.html").write_bytes(f"{comment}\n".encode() + saved.body)
            (folder / site / f"{number}_files").mkdir()
            for url, body in pictures.items():
                if (name := url.rpartition("/")[2]).encode() in saved.body:
                    (folder / site / f"{number}_files" / name).write_bytes(body)
    assert_same(crawled, folder, lake)


@pytest.mark.skipif(WGET is None, reason="wget is not installed")
def test_what_wget_records_gives_what_a_crawl_gives(crawled: Crawled, tmp_path: Path, lake: Lake) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    for site in DEMO_SITES:
        (tmp_path / "urls").write_text("\n".join(saved.url for saved in crawled.responses[site]))
        command = [
            str(WGET),
            "--quiet",
            "--input-file",
            "../urls",
            "--warc-file",
            site,
            "--output-document",
            "/dev/null",
        ]
        proxy = {"http_proxy": crawled.addresses[site]}
        subprocess.run(command, cwd=folder, env=proxy, check=True)
    assert sorted(file.name for file in folder.iterdir()) == [f"{site}.warc.gz" for site in sorted(DEMO_SITES)]
    assert_same(crawled, folder, lake)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("kind", ["html", "har"])
def test_what_a_browser_saves_gives_what_a_crawl_gives(kind: str, crawled: Crawled, tmp_path: Path, lake: Lake) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    hosts = {f"{site}.localhost": address for site, address in crawled.addresses.items()}
    with open_chromium(str(CHROMIUM), hosts) as tab:
        for site in DEMO_SITES:
            for number, page in enumerate(crawled.pages(site)):
                saved = tab.save(page.url)
                if kind == "har":
                    write_entries(folder / f"{site}-{number}.har", saved.entries)
                    continue
                # The pictures are in the MHTML file, whose document has lost its scripts.
                assert "<script" in saved.html
                assert "<script" not in saved.mhtml
                (folder / f"{site}-{number}.mhtml").write_text(saved.mhtml, newline="")
                comment = f"<!-- saved from url=({len(page.url):04}){page.url} -->"
                (folder / f"{site}-{number}.html").write_text(f"{comment}\n{saved.html}")
    assert_same(crawled, folder, lake)
