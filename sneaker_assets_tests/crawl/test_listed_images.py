"""Images whose addresses stand in a table of the user: many hosts, each of which is stopped separately."""

import hashlib
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sneaker_assets.crawl.circuit_breaker import MAX_REFUSED_IMAGES
from sneaker_assets.crawl.errors import ContactMissing
from sneaker_assets.crawl.listed_images import download_listed_images
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.tables import Images
from sneaker_assets_tests.crawl.answers import Answer, jpeg, reply
from sneaker_assets_tests.crawl.crawling import kill_after
from sneaker_assets_tests.crawl.shop import Shop, open_shop

JPEG = reply(body=jpeg(), kind="image/jpeg")


@pytest.fixture
def other() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened


def quick(**settings: Any) -> FetchSettings:
    base = {"delay": 0.0, "backoff": 0.01, "attempts": 2, "timeout": 2.0, "hold_cap": 1.0, "allow_loopback": True}
    return FetchSettings(**{**base, **settings})


def serve(shop: Shop, count: int, answer: Answer = JPEG) -> list[str]:
    """Let a server answer for a number of images; returns their addresses."""
    shop.answers |= {f"/{i}.jpg": answer for i in range(count)}
    return [f"{shop.base}/{i}.jpg" for i in range(count)]


def download(urls: list[Any], lake: Lake, known: pd.DataFrame | None = None, **settings: Any) -> pd.DataFrame:
    return download_listed_images(urls, "archive", lake, quick(**settings), known)


def download_to(urls: list[str], root: str, delay: float) -> None:
    download(urls, Lake.at(root), delay=delay)


def problems(table: pd.DataFrame, urls: list[str]) -> list[str | None]:
    """Problem of each address, None for a stored image."""
    found = table.set_index("image_url").loc[urls, "problem"].astype(object)
    return found.where(found.notna(), None).tolist()


def images_asked(shop: Shop) -> list[str]:
    return [request.path for request in shop.log if request.path != "/robots.txt"]


def test_images_of_several_hosts_are_stored_in_the_order_given(shop: Shop, other: Shop, lake: Lake) -> None:
    urls = [*serve(shop, 5), *serve(other, 2)]
    table = download([*urls, urls[0], None, float("nan"), "", urls[6]], lake)
    Images.validate(table)
    assert table["image_url"].tolist() == urls
    assert table["sha256"].tolist() == [hashlib.sha256(jpeg()).hexdigest()] * 7
    assert set(Counter(images_asked(shop) + [f"other {path}" for path in images_asked(other)]).values()) == {1}
    assert len(shop.asked("/robots.txt")) == len(other.asked("/robots.txt")) == 1


def test_second_download_requests_nothing_and_needs_no_contact(shop: Shop, lake: Lake) -> None:
    urls = [*serve(shop, 3), "https://", f"{shop.base}/gone.jpg"]
    first = download(urls, lake)
    shop.log.clear()
    again = download_listed_images(urls, "archive", lake, FetchSettings())
    pd.testing.assert_frame_equal(again, first)
    assert shop.log == []


def test_table_of_an_earlier_lake_state_is_used(shop: Shop, lake: Lake) -> None:
    urls = serve(shop, 3)
    first = download(urls, lake)
    shop.log.clear()
    again = download_listed_images(urls, "renamed", lake, FetchSettings(), first.assign(site="archive"))
    assert again["sha256"].tolist() == first["sha256"].tolist()
    assert set(again["site"]) == {"renamed"}
    assert shop.log == []


def test_missing_contact_is_one_line_that_names_its_setting(lake: Lake) -> None:
    with pytest.raises(ContactMissing, match=r"^[^\n]*SNEAKER_CONTACT[^\n]*$"):
        download_listed_images(["https://example.org/a.jpg"], "archive", lake, FetchSettings())
    assert download_listed_images([], "archive", lake, FetchSettings()).empty


@pytest.mark.parametrize(
    "url",
    [
        "a.jpg",
        "images/a.jpg",
        "//example.org/a.jpg",
        "ftp://example.org/a.jpg",
        "file:///etc/passwd",
        "https://",
        "http:///a.jpg",
        "http://[::1/a.jpg",
        "http://exa mple.org/a.jpg",
        "http://example.org:port/a.jpg",
        "data:image/png;base64," + 5000 * "A",
        "see the photo",
    ],
)
def test_invalid_address_has_a_short_problem_and_needs_no_contact(lake: Lake, url: str) -> None:
    row = download_listed_images([url], "archive", lake, FetchSettings()).iloc[0]
    assert "is not a valid http or https address" in row["problem"]
    assert "\n" not in row["problem"]
    assert len(row["problem"]) < 200
    assert pd.isna(row["sha256"])


def test_private_addresses_are_not_requested_without_permission(shop: Shop, lake: Lake) -> None:
    urls = [*serve(shop, 1), "http://169.254.169.254/latest/meta-data"]
    table = download(urls, lake, contact="crawl@example.org", allow_loopback=False)
    assert all("leads to a private address" in problem for problem in table["problem"])
    assert shop.log == []


def test_address_with_a_user_name_is_not_requested(shop: Shop, lake: Lake) -> None:
    serve(shop, 1)
    table = download([f"http://user:secret@{shop.host}/0.jpg"], lake)
    assert "only http and https addresses" in table["problem"][0]
    assert shop.log == []


def test_blocking_host_stops_only_its_own_images(
    shop: Shop, other: Shop, lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    refused, good = serve(shop, 20, reply(403)), serve(other, 20)
    table = download([*refused, *good], lake, threads=1)
    assert problems(table, good) == [None] * 20
    assert all(shop.host in str(problem) for problem in problems(table, refused))
    assert len(images_asked(shop)) == MAX_REFUSED_IMAGES
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"images of {shop.host} are left out: {shop.host} refuses us" in warning
    shop.log.clear()
    pd.testing.assert_frame_equal(download([*refused, *good], lake), table)
    assert shop.log == []


def test_paused_host_stops_only_its_own_images_and_is_not_requested_before_the_pause_ends(
    shop: Shop, other: Shop, lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    paused, good = serve(shop, 20, reply(429, Retry_After="600")), serve(other, 20)
    table = download([*paused, *good], lake, threads=2)
    assert problems(table, good) == [None] * 20
    assert all(f"{shop.host} asks us to wait: come back after" in str(problem) for problem in problems(table, paused))
    assert len(images_asked(shop)) == 1
    assert caplog.text.count(f"images of {shop.host} are left out") == 1
    shop.log.clear()
    again = download([*paused, *good], lake)
    assert problems(again, good) == [None] * 20
    assert all("asks us to wait" in str(problem) for problem in problems(again, paused))
    assert shop.log == []


def test_host_that_keeps_refusing_is_asked_for_one_image_only(shop: Shop, lake: Lake) -> None:
    urls = serve(shop, 10, reply(429, Retry_After="0"))
    table = download(urls, lake, threads=1)
    assert all("asks us to wait" in problem for problem in table["problem"])
    assert images_asked(shop) == ["/0.jpg"] * 2  # the attempts at the first image


def test_images_of_a_paused_host_are_fetched_when_the_pause_is_over(shop: Shop, lake: Lake) -> None:
    urls = serve(shop, 3, reply(429, Retry_After="2"))
    assert download(urls, lake)["sha256"].isna().all()
    serve(shop, 3)
    assert problems(download(urls, lake, hold_cap=5.0), urls) == [None] * 3


def test_images_disallowed_by_robots_are_not_requested(shop: Shop, other: Shop, lake: Lake) -> None:
    shop.answers["/robots.txt"] = reply(body=b"User-agent: *\nDisallow: /", kind="text/plain")
    closed, good = serve(shop, 2), serve(other, 2)
    table = download([*closed, *good], lake)
    assert [str(problem).split(": ")[-1] for problem in problems(table, closed)] == [
        "robots.txt does not allow it",
        "robots.txt does not allow it",
    ]
    assert problems(table, good) == [None, None]
    assert images_asked(shop) == []


def test_host_that_cannot_be_reached_is_named(other: Shop, lake: Lake) -> None:
    with open_shop() as closed:
        gone = closed.base
    table = download([f"{gone}/a.jpg", *serve(other, 1)], lake)
    host = gone.removeprefix("http://")
    assert f"the robots.txt of {host} could not be fetched" in table["problem"][0]
    assert pd.isna(table["problem"][1])


def test_redirect_to_another_public_host_is_followed_by_its_rules(shop: Shop, other: Shop, lake: Lake) -> None:
    serve(other, 2)
    other.answers["/robots.txt"] = reply(body=b"User-agent: *\nDisallow: /1.jpg", kind="text/plain")
    shop.answers |= {f"/{i}.jpg": reply(302, Location=f"{other.base}/{i}.jpg") for i in range(2)}
    shop.answers["/2.jpg"] = reply(302, Location="file:///etc/passwd")
    urls = [f"{shop.base}/{i}.jpg" for i in range(3)]
    stored, disallowed, foreign = problems(download(urls, lake), urls)
    assert stored is None
    assert "robots.txt does not allow it" in str(disallowed)
    assert "only http and https addresses" in str(foreign)
    assert images_asked(other) == ["/0.jpg"]


def test_block_by_the_target_of_redirects_is_that_of_the_target(shop: Shop, other: Shop, lake: Lake) -> None:
    serve(other, 9, reply(403))
    shop.answers |= {f"/{i}.jpg": reply(302, Location=f"{other.base}/{i}.jpg") for i in range(9)}
    shop.answers["/own.jpg"] = JPEG
    urls = [*(f"{shop.base}/{i}.jpg" for i in range(9)), f"{shop.base}/own.jpg"]
    found = problems(download(urls, lake, threads=1), urls)
    assert found[-1] is None
    assert f"{other.host} refuses us" in str(found[-2])
    assert len(images_asked(other)) == MAX_REFUSED_IMAGES


def test_killed_download_is_resumed_with_the_rest(shop: Shop, other: Shop, tmp_path: Path) -> None:
    urls = [*serve(shop, 12), *serve(other, 12)]
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([download_listed_images.__module__])
    process = processes.Process(target=download_to, args=(urls, str(tmp_path), 0.05))
    kill_after(process, 10, lambda: len(shop.log) + len(other.log))
    assert process.exitcode != 0
    table = download(urls, Lake.at(tmp_path))
    assert problems(table, urls) == [None] * 24
    asked = Counter([*images_asked(shop), *(f"other{path}" for path in images_asked(other))])
    assert len(asked) == 24
    assert sum(asked.values()) <= 24 + 2  # a request in flight at the kill is repeated, one per host
