"""Limits of what is parsed, and pages of other sites."""

import json
import os
import resource
import subprocess
import sys

import pytest

from sneaker_assets.sites import farfetch, stockx
from sneaker_assets.sites.base import PageError

URL = "https://www.farfetch.com/shopping/men/example-item-18000001.aspx"
SHOE = {"@type": "Product", "name": "Runner", "sku": "18000001", "offers": {"price": "495", "priceCurrency": "EUR"}}


def page(head: str = "", **more: str) -> bytes:
    script = f'<script type="application/ld+json">{json.dumps(SHOE | more)}</script>'
    return f"<html><head>{head}</head><body>{script}</body></html>".encode()


OWN = [
    '<link rel="canonical" href="https://www.farfetch.com/uk/shopping/men/example-item-18000001.aspx">',
    '<link rel="canonical" href="/shopping/men/example-item-18000001.aspx">',
    '<meta property="og:url" content="https://www.farfetch.com/x"><meta property="og:site_name" content="FARFETCH">',
]
FOREIGN = [
    '<link rel="canonical" href="https://cosmetics.example/lipstick">',
    '<meta property="og:url" content="https://cosmetics.example/lipstick">',
    '<meta property="og:url" content="https://farfetch.com.example/x">',
    '<meta property="og:site_name" content="Cosmetics Example">',
]


@pytest.mark.parametrize("head", OWN)
def test_page_that_states_its_own_site_is_parsed(head: str) -> None:
    assert len(farfetch.parse_page(page(head), URL).listings) == 1


@pytest.mark.parametrize("head", FOREIGN)
def test_page_that_states_another_site_is_refused(head: str) -> None:
    with pytest.raises(PageError, match=r"is a page of another site: its (canonical link|og:url|site name) is"):
        farfetch.parse_page(page(head), URL)


def test_page_at_an_address_of_another_site_is_refused() -> None:
    with pytest.raises(PageError, match=r"its URL is at cosmetics\.example"):
        farfetch.parse_page(page(), "https://cosmetics.example/lipstick")


def test_product_at_an_address_of_another_site_is_refused() -> None:
    with pytest.raises(PageError, match=r"its product '18000001' is at cosmetics\.example"):
        farfetch.parse_page(page(url="https://cosmetics.example/lipstick"), URL)


BODIES = {
    "nested elements": "b'<div>' * 3_800_000",
    "nested elements below the limit of tags": "b'<div>' * 49_000",
    "elements": "b'<div></div>' * 1_000_000",
    "elements below the limit": "b'<link rel=next href=x>' * 49_000",
    "attributes": "b'<meta ' + b''.join(b'a%d ' % i for i in range(1_200_000)) + b'>'",
    "unclosed tags": "b'<a ' * 49_000",
    "entities": "b'<p>' + b'&amp;' * 2_300_000",
    "objects": "b'[' + b'{},' * 149_000 + b'{}]'",
    "nested objects": """b'{"a":' * 149_000""",
    "numbers": """b'{"products":[' + b'0,' * 990_000 + b'0]}'""",
    "products": """b'<script type="application/ld+json">[' + b'{"@type":"Product","name":"a"},' * 49_000 + b'1]'""",
    "unfinished script": """b'<script id="__NEXT_DATA__">' + b'{"a":[1,' * 70_000""",
}
LIMIT_SECONDS, LIMIT_BYTES = 15, 500_000_000
"""At most 5 s are used on a quiet machine; a busy or slow one takes more."""
PROGRAM = """
import resource, sys
from sneaker_assets.sites import farfetch, shopify, stockx
from sneaker_assets.sites.base import PageError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
body = eval(sys.argv[1])
for parse, url in (
    (stockx.parse_page, "https://stockx.com/x"),
    (farfetch.parse_page, "https://www.farfetch.com/x"),
    (lambda body, url: shopify.parse_page("shop.example", "USD", body, url), "https://shop.example/products.json"),
):
    used = resource.getrusage(resource.RUSAGE_SELF)
    try:
        parse(body, url)
    except PageError:
        pass
    spent = resource.getrusage(resource.RUSAGE_SELF)
    assert spent.ru_utime - used.ru_utime < float(sys.argv[2]), (url, spent.ru_utime - used.ru_utime)
assert (spent.ru_maxrss - before) * 1024 < int(sys.argv[3]), spent.ru_maxrss - before
"""


@pytest.mark.slow
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_hostile_page_is_parsed_or_refused_in_bounded_time_and_memory(body: str) -> None:
    """The limits are of CPU time and of the memory of a process of its own."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))

    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, body, str(LIMIT_SECONDS), str(LIMIT_BYTES)],
        preexec_fn=limit,
        env={**os.environ, "COVERAGE_PROCESS_CONFIG": ""},  # tracing would multiply the time
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"x" * 13_000_000, "is larger than"),
        (b"<p>" * 60_000, "tags"),
        (b"<div>" * 300, "nested more than"),
        (b"[" * 200_000, "JSON objects"),
    ],
)
def test_page_beyond_a_limit_is_refused_with_the_limit(body: bytes, problem: str) -> None:
    with pytest.raises(PageError, match=problem):
        stockx.parse_page(body, "https://stockx.com/sneakers")
