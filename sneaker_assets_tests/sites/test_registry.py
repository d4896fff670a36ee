"""Adding a site takes one module and one line of the registry; everything else follows from these."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sneaker_assets
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sites import ADAPTERS, SITES, UnknownSiteError, get_site, load_sites, site_of_address
from sneaker_assets.sources.web import WebSource
from sneaker_assets.tables import Images, Observations
from sneaker_assets_tests.crawl.answers import jpeg, reply
from sneaker_assets_tests.crawl.shop import Shop, open_shop
from sneaker_assets_tests.sites import outlet


@pytest.fixture
def shop() -> Iterator[Shop]:
    """The outlet: two pages of shoes with images."""
    first, second = (
        [{"id": f"shoe-{i}", "link": f"/shoe-{i}", "name": f"Shoe {i}", "photo": f"/{i}.jpg", "price": 100 + i}]
        for i in range(2)
    )
    with open_shop() as opened:
        opened.answers |= {
            "/catalogue.json": reply(body=json.dumps({"shoes": first, "next": "/more.json"}).encode()),
            "/more.json": reply(body=json.dumps({"shoes": second}).encode()),
            **{f"/{i}.jpg": reply(body=jpeg(40 + i, 30), kind="image/jpeg") for i in range(2)},
        }
        yield opened


def test_registered_site_is_crawled_with_its_images(shop: Shop, lake: Lake) -> None:
    sites = load_sites((*ADAPTERS, outlet.__name__))
    assert sites.keys() == SITES.keys() | {"outlet"}
    settings = FetchSettings(delay=0.0, allow_loopback=True)
    source = WebSource(lake, settings, homes={"outlet": shop.base}, sites_by_name=sites)
    observations = Observations.validate(source.observe("outlet"))
    images = Images.validate(source.images("outlet", observations["image_url"]))
    assert observations["product_id"].tolist() == ["shoe-0", "shoe-1"]
    assert observations["amount"].tolist() == [100.0, 101.0]
    assert set(observations["generation"]) == {outlet.PAGE_FORMAT}
    assert images["width"].tolist() == [40, 41]
    assert all(lake.image(sha256).exists() for sha256 in images["sha256"])
    assert source.report("outlet").complete
    assert source.releases("outlet").empty


SCRIPT = """
import json
from sneaker_assets.assets.scrapes import raw_scrapes
from sneaker_assets.definitions import defs

repository = defs.get_repository_def()
print(json.dumps({
    "partitions": list(raw_scrapes.partitions_def.get_partition_keys()),
    "schedules": [schedule.name for schedule in repository.schedule_defs],
}))
"""


@pytest.fixture(scope="module")
def extended_project(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Facts of a copy of the package to which one module and one line were added."""
    copy = tmp_path_factory.mktemp("copy")
    package = copy / "sneaker_assets"
    shutil.copytree(Path(sneaker_assets.__path__[0]), package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(outlet.__file__), package / "sites" / "outlet.py")
    registry = package / "sites" / "__init__.py"
    last = f'    "{ADAPTERS[-1]}",\n'
    assert registry.read_text().count(last) == 1
    registry.write_text(registry.read_text().replace(last, f'{last}    "sneaker_assets.sites.outlet",\n'))
    # Coverage would count the copied package beside the original.
    environment = {
        **os.environ,
        "COVERAGE_PROCESS_CONFIG": "",
        "PYTHONPATH": str(copy),
        "SNEAKER_SOURCE": "live",
        "SNEAKER_SITES": "stockx,outlet",
        "DAGSTER_HOME": "",
    }
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=copy, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    facts: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return facts


def test_registered_site_is_a_partition_with_a_schedule(extended_project: dict[str, Any]) -> None:
    assert extended_project["partitions"] == ["outlet", "stockx"]
    assert set(extended_project["schedules"]) == {f"recrawl_{site}" for site in extended_project["partitions"]}


def test_unknown_site_raises_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UnknownSiteError, match=f"known: {', '.join(sorted(SITES))}"):
        get_site("ebay")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://stockx.com/air-example", "stockx"),
        (" HTTPS://WWW.StockX.com./sneakers?page=2", "stockx"),
        ("https://api.stockx.com/v2/catalog/search?query=x", "stockx"),
        ("https://www.farfetch.com/uk/shopping/men/shoes-2/items.aspx", "farfetch"),
        ("https://kith.example/products.json", "kith.example"),
        ("https://eu.kith.example/collections/all", "eu.kith.example"),
        ("https://nl.kith.example/", "kith.example"),
        ("https://search.other.example/browse", "outlet"),
        ("https://notstockx.com/a", None),
        ("https://stockx.com.example/a", None),
        ("https://[broken/a", None),
        ("/sneakers", None),
        ("", None),
    ],
)
def test_site_of_address_is_the_one_with_the_longest_matching_host(url: str, name: str | None) -> None:
    sites = dict(load_sites(stores={"kith.example": "USD", "eu.kith.example/collections/shoes": "EUR"}))
    sites["outlet"] = replace(outlet.SITES[0], hosts=frozenset({"search.other.example"}))
    found = site_of_address(url, sites)
    assert (found and found.name) == name
