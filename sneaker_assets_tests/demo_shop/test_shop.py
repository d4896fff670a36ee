import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from bs4 import BeautifulSoup
from PIL import Image

from sneaker_assets.cli.shop import main as shop_command
from sneaker_assets.demo_shop import DemoShop
from sneaker_assets.demo_shop.catalogue import SHOP_DATE, Product, ShopSite, generate_catalogue, generate_releases
from sneaker_assets.demo_shop.clock import FILE_NAME, set_shop_day, shop_day
from sneaker_assets.demo_shop.pages import LAYOUTS
from sneaker_assets.lake import Lake, LakeError
from sneaker_assets.resources import ListingSourceResource
from sneaker_assets.sources.demo import demo_source

N_PRODUCTS = 700
SITES = tuple(LAYOUTS)


@pytest.fixture(scope="module")
def shop() -> Iterator[DemoShop]:
    with DemoShop(N_PRODUCTS) as shop:
        yield shop


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def products_of(site: ShopSite) -> list[Product]:
    return [p for p in generate_catalogue(N_PRODUCTS) if p.site == site]


def soup_of(session: requests.Session, url: str) -> BeautifulSoup:
    response = session.get(url)
    assert response.status_code == 200
    return BeautifulSoup(response.content, "lxml")


def listing_pages(session: requests.Session, start: str) -> list[BeautifulSoup]:
    """All pages of a listing, following the links to the next one."""
    pages, url = [], start
    while url:
        pages.append(soup_of(session, url))
        links = {urljoin(url, str(link["href"])) for link in pages[-1].find_all(["a", "link"], rel="next")}
        assert len(links) <= 1
        url = links.pop() if links else ""
    return pages


def next_data(page: BeautifulSoup) -> dict[str, Any]:
    script = page.find("script", id="__NEXT_DATA__")
    assert script is not None
    queries = json.loads(script.text)["props"]["pageProps"]["req"]["appContext"]["states"]["query"]["value"]["queries"]
    data: dict[str, Any] = queries[0]["state"]["data"]
    return data


def json_ld(page: BeautifulSoup) -> dict[str, Any]:
    script = page.find("script", type="application/ld+json")
    assert script is not None
    data: dict[str, Any] = json.loads(script.text)
    return data


def window_state(page: BeautifulSoup, name: str) -> dict[str, Any]:
    pattern = re.compile(rf"^window\['__initialState_{name}__'\] = ")
    (script,) = (s.text for s in page.find_all("script") if pattern.match(s.text))
    state: dict[str, Any] = json.loads(pattern.sub("", script))
    return state


@pytest.mark.parametrize("site", SITES)
def test_next_links_reach_every_product_once(shop: DemoShop, session: requests.Session, site: ShopSite) -> None:
    layout, base = LAYOUTS[site], shop.addresses[site]
    pages = listing_pages(session, base + layout.listing_path)
    paths = [str(card.a["href"]) for page in pages for card in page.find_all("li") if card.a]
    expected = products_of(site)
    assert paths == [layout.product_path(p) for p in expected]
    assert len(pages) == -(-len(expected) // layout.page_size)
    for product in expected[::60]:
        assert product.title in soup_of(session, base + layout.product_path(product)).text


def test_stockx_listings_hold_search_nodes(shop: DemoShop, session: requests.Session) -> None:
    pages = listing_pages(session, shop.addresses["stockx"] + "/sneakers")
    results = [next_data(page)["browse"]["results"] for page in pages]
    assert [r["pageInfo"]["page"] for r in results] == list(range(1, len(pages) + 1))
    nodes = {edge["node"]["id"]: edge["node"] for r in results for edge in r["edges"]}
    products = products_of("stockx")
    assert {r["pageInfo"]["total"] for r in results} == {len(products)} == {len(nodes)}
    for product in products:
        node = nodes[product.product_id]
        market, traits = node["market"], {t["name"]: t["value"] for t in node["productTraits"]}
        assert (market["salesInformation"]["lastSale"] or None) == product.price
        assert (market["deadStock"]["averagePrice"] or None) == product.average_price
        assert (market["state"]["lowestAsk"] or {}).get("amount") == product.lowest_ask
        assert float(traits["Retail Price"]) == product.retail_price
        assert traits["Release Date"] == product.release_date.isoformat()
        assert node["media"]["imageUrl"].startswith(shop.addresses["stockx"])


def test_stockx_product_pages_have_the_format_of_2024(shop: DemoShop, session: requests.Session) -> None:
    shoe = next(p for p in products_of("stockx") if p.price)
    product = next_data(soup_of(session, f"{shop.addresses['stockx']}/{shoe.slug}"))["product"]
    assert product["pricing"]["market"]["salesInformation"]["lastSale"] == shoe.price
    assert product["styleId"] == shoe.style_code
    assert "market" not in product


def test_farfetch_json_ld_and_state_are_consistent(shop: DemoShop, session: requests.Session) -> None:
    layout, base = LAYOUTS["farfetch"], shop.addresses["farfetch"]
    page = soup_of(session, f"{base}{layout.listing_path}?page=2")
    items = window_state(page, "slice-listing")["listingItems"]["items"]
    elements = json_ld(page)["itemListElement"]
    expected = products_of("farfetch")[48:96]
    assert [item["priceInfo"]["finalPrice"] for item in items] == [p.price for p in expected]
    assert [element["item"]["offers"]["price"] for element in elements] == [p.price for p in expected]
    assert [element["position"] for element in elements] == list(range(49, 97))
    assert [base + item["url"] for item in items] == [element["item"]["url"] for element in elements]
    product = soup_of(session, elements[0]["item"]["url"])
    view = window_state(product, "slice-pdp")["productViewModel"]
    assert view["designerDetails"]["designerStyleId"] == json_ld(product)["mpn"] == expected[0].style_code
    assert view["priceInfo"]["default"]["finalPrice"] == json_ld(product)["offers"]["price"] == expected[0].price


@pytest.mark.parametrize("site", SITES)
def test_images_have_the_size_of_their_site(shop: DemoShop, session: requests.Session, site: ShopSite) -> None:
    response = session.get(f"{shop.addresses[site]}/images/{products_of(site)[3].image_name}")
    assert response.headers["Content-Type"] == "image/jpeg"
    image = Image.open(io.BytesIO(response.content))
    image.load()
    assert image.size == LAYOUTS[site].image_size


def test_shared_image_is_identical_at_another_url(shop: DemoShop, session: requests.Session) -> None:
    products = products_of("farfetch")
    duplicate = next(p for p in products if p.image_of)
    original = next(p for p in products if p.product_id == duplicate.image_of)
    other = next(p for p in products if p.design != duplicate.design)
    urls = [f"{shop.addresses['farfetch']}/images/{p.image_name}" for p in (duplicate, original, other)]
    bodies = [session.get(url).content for url in urls]
    assert urls[0] != urls[1]
    assert bodies[0] == bodies[1] != bodies[2]


@pytest.mark.parametrize("site", SITES)
def test_robots_txt_allows_products_and_disallows_the_checkout(
    shop: DemoShop, session: requests.Session, site: ShopSite
) -> None:
    response = session.get(f"{shop.addresses[site]}/robots.txt")
    assert response.headers["Content-Type"].startswith("text/plain")
    assert "Disallow: /checkout\n" in response.text
    assert "Crawl-delay" not in response.text


def test_unchanged_page_is_not_sent_again(shop: DemoShop, session: requests.Session) -> None:
    url = shop.addresses["stockx"] + "/sneakers"
    first = session.get(url)
    again = session.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert session.get(url, headers={"If-None-Match": '"other"'}).content == first.content
    assert session.get(url + "?page=2").headers["ETag"] != first.headers["ETag"]


def test_head_response_has_no_body(shop: DemoShop, session: requests.Session) -> None:
    url = shop.addresses["farfetch"] + LAYOUTS["farfetch"].listing_path
    head, get = session.head(url), session.get(url)
    assert head.content == b""
    assert head.headers["Content-Length"] == str(len(get.content))


@pytest.mark.parametrize(
    "path", ["/nothing", "/sneakers?page=99", "/sneakers?page=0", "/sneakers?page=x", "/images/a.jpg"]
)
def test_unknown_path_is_a_404(shop: DemoShop, session: requests.Session, path: str) -> None:
    response = session.get(shop.addresses["stockx"] + path)
    assert response.status_code == 404
    assert "There is nothing at this address" in response.text


def test_closed_shop_releases_its_ports_and_threads() -> None:
    before = set(threading.enumerate())
    shop = DemoShop(20)
    shop.start()
    ports = [int(address.rpartition(":")[2]) for address in shop.addresses.values()]
    with requests.Session() as session:
        for address in shop.addresses.values():
            assert session.get(address).ok
        assert set(threading.enumerate()) - before
        shop.stop()
        assert not set(threading.enumerate()) - before
        assert shop.addresses == {}
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)


def test_shop_can_be_reopened() -> None:
    shop = DemoShop(20)
    for _ in range(2):
        with shop:
            assert requests.get(shop.addresses["stockx"] + "/sneakers", timeout=5).ok


def test_closed_connection_is_not_reported_as_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with DemoShop(20) as shop:
        port = int(shop.addresses["farfetch"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n" * 20)
        assert requests.get(shop.addresses["farfetch"], timeout=5).ok
    assert capfd.readouterr().err == ""


def coming(session: requests.Session, shop: DemoShop) -> dict[str, set[str]]:
    """Names of the releases announced at each site."""
    stockx = next_data(soup_of(session, shop.addresses["stockx"] + LAYOUTS["stockx"].releases_path))
    farfetch = soup_of(session, shop.addresses["farfetch"] + LAYOUTS["farfetch"].releases_path)
    return {
        "stockx": {edge["node"]["urlKey"] for edge in stockx["browse"]["results"]["edges"]},
        "farfetch": {str(i["id"]) for i in window_state(farfetch, "slice-listing")["listingItems"]["items"]},
    }


def test_releases_are_announced_and_become_products_over_time(shop: DemoShop, session: requests.Session) -> None:
    release = next(p for p in generate_releases() if p.site == "stockx" and p.announced and p.announced > SHOP_DATE)
    assert release.announced is not None
    now = coming(session, shop)
    assert now["stockx"]
    assert now["farfetch"]
    assert release.slug not in now["stockx"]
    with DemoShop(20, today=release.announced) as announced:
        assert release.slug in coming(session, announced)["stockx"]
    with DemoShop(20, today=release.release_date) as released:
        assert release.slug not in coming(session, released)["stockx"]
        edges = next_data(soup_of(session, released.addresses["stockx"] + "/sneakers"))["browse"]["results"]["edges"]
        assert release.slug in {edge["node"]["urlKey"] for edge in edges}


def test_release_has_a_retail_price_and_a_future_date(shop: DemoShop, session: requests.Session) -> None:
    page = soup_of(session, shop.addresses["stockx"] + LAYOUTS["stockx"].releases_path)
    for edge in next_data(page)["browse"]["results"]["edges"]:
        node = edge["node"]
        traits = {t["name"]: t["value"] for t in node["productTraits"]}
        assert float(traits["Retail Price"]) > 0
        assert traits["Release Date"] > SHOP_DATE.isoformat()
        assert not node["market"]["salesInformation"]["lastSale"]
        assert node["market"]["state"]["lowestAsk"] is None
    page = soup_of(session, shop.addresses["farfetch"] + LAYOUTS["farfetch"].releases_path)
    offers = [element["item"] for element in json_ld(page)["itemListElement"]]
    assert offers
    for item in offers:
        assert item["offers"]["availability"] == "https://schema.org/PreOrder"
        assert item["releaseDate"] == item["offers"]["availabilityStarts"] > SHOP_DATE.isoformat()


def test_command_serves_until_it_is_interrupted() -> None:
    today = (SHOP_DATE + timedelta(days=30)).isoformat()
    command = [sys.executable, "-m", "sneaker_assets.cli.shop", "--products", "30", "--today", today]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(2)]
        assert {site for site, _ in lines} == set(SITES)
        assert all(requests.get(address, timeout=5).ok for _, address in lines)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_command_sets_the_clock_in_the_lake(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNEAKER_LAKE", str(lake.root))
    assert shop_day(lake) == SHOP_DATE
    shop_command(["--set-today", "2020-10-01"])
    assert shop_day(lake) == date(2020, 10, 1)


def test_shop_announces_the_releases_of_its_date(lake: Lake) -> None:
    first = generate_releases()[0]
    assert first.announced is not None
    for day, announced in ((first.announced - timedelta(days=1), []), (first.announced, [first.product_id])):
        set_shop_day(lake, day)
        with demo_source(lake, n_products=20) as source:
            assert source.releases("stockx")["product_id"].unique().tolist() == announced


def test_date_of_the_environment_takes_precedence_over_the_clock(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first = generate_releases()[0]
    assert first.announced is not None
    set_shop_day(lake, first.announced - timedelta(days=1))
    monkeypatch.setenv("SNEAKER_SHOP_TODAY", first.announced.isoformat())
    with ListingSourceResource(source="demo", demo_products=20).open(lake) as source:
        assert source.releases("stockx")["product_id"].unique().tolist() == [first.product_id]


def test_damaged_clock_is_an_error_that_names_its_file(lake: Lake) -> None:
    for content in ("{}", "half a", '{"today": "soon"}'):
        (lake.root / FILE_NAME).write_text(content)
        with pytest.raises(LakeError, match=r"shop_clock\.json"):
            shop_day(lake)
