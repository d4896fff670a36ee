"""Pictures in saved pages, and in the folders that a browser writes beside them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sources.saved.pictures import Wanted
from sneaker_assets.sources.saved.source import NOT_SAVED, SavedSource
from sneaker_assets.tables import Images
from sneaker_assets_tests.crawl.answers import jpeg, reply
from sneaker_assets_tests.crawl.shop import open_shop
from sneaker_assets_tests.sources.saved_files import (
    AT,
    Saved,
    image_url,
    page,
    product,
    write_har,
    write_mhtml,
    write_warc,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    folder.mkdir()
    return folder


@pytest.fixture
def source(lake: Lake, folder: Path) -> SavedSource:
    return SavedSource(lake, folder)


def picture(url: str, data: bytes, **changes: object) -> Saved:
    return replace(Saved(url, data, "image/jpeg"), **changes)  # type: ignore[arg-type]


RED, BLUE = jpeg(colour="red"), jpeg(colour="blue")
PATH = "https://images.stockx.com/360/shoe-1.jpg"


@pytest.mark.parametrize(
    "write",
    [
        lambda folder, *saved: write_har(folder / "a.har", saved),
        lambda folder, *saved: write_warc(folder / "a.warc.gz", saved),
        lambda folder, *saved: write_mhtml(folder / "a.mhtml", *saved),
    ],
    ids=["har", "warc", "mhtml"],
)
def test_pictures_in_the_saved_pages_are_stored(
    write: Callable[..., Path], lake: Lake, folder: Path, source: SavedSource
) -> None:
    write(folder, product(1), picture(image_url(1), RED), picture(image_url(2), b"no picture"))

    images = Images.validate(source.images("stockx", [image_url(1), image_url(2), image_url(3), "", image_url(1)]))

    assert list(images["image_url"]) == [image_url(1), image_url(2), image_url(3)]
    assert images["sha256"].notna().tolist() == [True, False, False]
    assert lake.image(images["sha256"][0]).read_bytes() == RED
    assert images["problem"][1] not in (None, NOT_SAVED)
    assert images["problem"][2] == NOT_SAVED


def test_a_picture_saved_with_another_query_is_used_unless_the_same_address_is_saved(
    lake: Lake, folder: Path, source: SavedSource
) -> None:
    small, large, exact = jpeg(60, 30, "red"), jpeg(200, 100, "green"), jpeg(80, 40, "blue")
    others = [picture(f"{PATH}?w=60", small), picture(f"{PATH}?w=200", large), picture(f"{PATH}?w=40", b"broken")]
    write_har(folder / "a.har", others)
    assert stored(lake, source, image_url(1)) == large

    write_har(folder / "b.har", [picture(image_url(1), exact)])
    assert stored(lake, source, image_url(1)) == exact


def test_the_last_picture_at_an_address_is_used(lake: Lake, folder: Path, source: SavedSource) -> None:
    later = picture(image_url(1), BLUE, at=AT + timedelta(days=1))
    write_har(folder / "a.har", [later])
    write_har(folder / "b.har", [picture(image_url(1), RED)])
    assert stored(lake, source, image_url(1)) == BLUE


def stored(lake: Lake, source: SavedSource, url: str) -> bytes:
    return lake.image(source.images("stockx", [url])["sha256"][0]).read_bytes()


def test_an_address_is_found_without_its_query_only_where_that_is_unambiguous() -> None:
    wanted = Wanted(
        [f"{PATH}?w=700", "https://a.example/photo?id=5", "https://a.example/1.jpg?v=1", "https://a.example/1.jpg?v=2"]
    )
    assert wanted.find(f"{PATH}?w=700") == wanted.find(PATH) == wanted.find(f"{PATH}?w=1") == f"{PATH}?w=700"
    assert wanted.find("https://a.example/1.jpg?v=2") == "https://a.example/1.jpg?v=2"
    for other in (
        "https://a.example/photo?id=6",
        "https://a.example/1.jpg",
        "https://b.example/360/shoe-1.jpg",
        "http://[",
    ):
        assert wanted.find(other) is None


@given(urls=st.lists(st.text()), url=st.text())
def test_only_wanted_addresses_are_found(urls: list[str], url: str) -> None:
    wanted = Wanted(urls)
    assert wanted.find(url) in {*urls, None}
    assert all(wanted.find(one) == one for one in urls)


def test_known_pictures_are_not_read_again(folder: Path, source: SavedSource) -> None:
    file = write_har(folder / "a.har", [picture(image_url(1), RED)])
    known = source.images("stockx", [image_url(1)])
    file.unlink()
    assert source.images("stockx", [image_url(1)], known).equals(known)


def test_a_picture_that_is_too_large_or_not_found_is_not_stored(lake: Lake, folder: Path) -> None:
    saved = [picture(image_url(1), RED + b"\0" * 20_000_000), picture(image_url(2), RED, status=404)]
    write_warc(folder / "a.warc", saved)
    images = SavedSource(lake, folder).images("stockx", [image_url(1), image_url(2)])
    assert list(images["problem"]) == ["responses of more than 20,000,000 bytes", "responses with status 404"]


def test_pictures_that_are_not_saved_are_fetched_only_if_asked_for(lake: Lake, folder: Path) -> None:
    with open_shop() as shop:
        shop.answers["/2.jpg"] = reply(body=BLUE, kind="image/jpeg")
        urls = [f"{shop.base}/{number}.jpg" for number in (1, 2, 3)]
        write_har(folder / "a.har", [picture(urls[0], RED)])
        without = SavedSource(lake, folder).images("stockx", urls)
        assert shop.log == []

        settings = FetchSettings(delay=0.0, allow_loopback=True)
        images = Images.validate(SavedSource(lake, folder, fetch_images=settings).images("stockx", urls, without))

    assert [request.path for request in shop.log if request.path != "/robots.txt"] == ["/2.jpg", "/3.jpg"]
    assert without["problem"].fillna("").tolist() == ["", NOT_SAVED, NOT_SAVED]
    assert list(images["image_url"]) == urls
    assert [lake.image(sha256).read_bytes() for sha256 in images["sha256"].dropna()] == [RED, BLUE]
    assert "404" in images["problem"][2]


def companion_page(folder: Path, *numbers: int, **files: bytes) -> None:
    comment = b"<!-- saved from url=(0026)https://stockx.com/shoes -->\n"
    (folder / "Shoes.html").write_bytes(comment + page(*numbers))
    (folder / "Shoes_files").mkdir()
    for name, data in files.items():
        (folder / "Shoes_files" / name.replace("_", ".")).write_bytes(data)


def test_pictures_beside_a_page_are_found_by_their_names(lake: Lake, folder: Path, source: SavedSource) -> None:
    companion_page(folder, 1, 2, 3, **{"shoe-1_jpg": RED, "shoe-2_jpg": b"no picture", "shoe-9_jpg": BLUE})
    assert set(source.observe("stockx")["product_id"]) == {"id-1", "id-2", "id-3"}

    images = source.images("stockx", [image_url(number) for number in (1, 2, 3, 9)])

    assert images["problem"].fillna("").tolist() == ["", NOT_SAVED, NOT_SAVED, NOT_SAVED]
    assert lake.image(images["sha256"][0]).read_bytes() == RED


def test_a_picture_beside_a_page_whose_name_two_products_share_is_not_used(folder: Path, source: SavedSource) -> None:
    companion_page(folder, 1, 2, main_jpg=RED)
    file = folder / "Shoes.html"
    file.write_bytes(
        file.read_bytes().replace(b"360/shoe-1.jpg", b"one/main.jpg").replace(b"360/shoe-2.jpg", b"two/main.jpg")
    )
    urls = sorted(source.observe("stockx")["image_url"])
    assert [url.rpartition("/")[2].partition("?")[0] for url in urls] == ["main.jpg", "main.jpg"]
    assert list(source.images("stockx", urls)["problem"]) == [NOT_SAVED, NOT_SAVED]


def test_file_names_of_pictures_never_leave_the_folder_beside_the_page(folder: Path, source: SavedSource) -> None:
    companion_page(folder, 1)
    (folder / "secret.jpg").write_bytes(RED)
    file = folder / "Shoes.html"
    file.write_bytes(file.read_bytes().replace(b"360/shoe-1.jpg", b"360/..%2Fsecret.jpg"))
    url = source.observe("stockx")["image_url"][0]
    assert "..%2Fsecret.jpg" in url
    assert list(source.images("stockx", [url])["problem"]) == [NOT_SAVED]
