"""HTML shared by both sites: browsable listing and product pages into which a site embeds its data as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from sneaker_assets.demo_shop.catalogue import Product

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:0;color:#1c1c1e;background:#fff}
header{display:flex;gap:28px;align-items:baseline;padding:18px 32px;border-bottom:1px solid #e6e6e6}
header b{font-size:21px;letter-spacing:.06em}a{color:inherit;text-decoration:none}a:hover{text-decoration:underline}
main{max-width:1280px;margin:0 auto;padding:24px 32px}h1{font-size:22px;font-weight:600}
ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:22px;padding:0;list-style:none}
li{border:1px solid #ececec;border-radius:10px;padding:14px}li:hover{box-shadow:0 4px 18px #0001}
li img{width:100%;height:150px;object-fit:contain}li p{margin:2px 0}.brand{color:#777;font-size:13px}
.price{font-weight:600}nav{display:flex;gap:20px;padding:18px 0}article img{max-width:100%}
dl{display:grid;grid-template-columns:max-content 1fr;gap:6px 24px}dt{color:#777}dd{margin:0}
"""


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page of a product listing.

    Attributes:
        heading: Title of the listing.
        path: Path of its first page.
        products: Products on this page.
        page: Number of this page, from 1.
        n_pages: Number of pages.
        total: Number of products on all pages.
    """

    heading: str
    path: str
    products: Sequence[Product]
    page: int
    n_pages: int
    total: int

    def link(self, page: int) -> str | None:
        """Path of another page of the listing, None if there is no such page."""
        if not 1 <= page <= self.n_pages:
            return None
        return self.path if page == 1 else f"{self.path}?page={page}"


def script_json(value: Any) -> str:
    """JSON that is safe inside a ``<script>`` element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def dollars(amount: int | None) -> str:
    """Formatted amount of US dollars, such as ``$1,190``; a placeholder for a missing amount."""
    return f"${amount:,}" if amount else "no price yet"


def card(product: Product, href: str, price: str) -> str:
    """HTML of a product in the grid of a listing page: image, brand, name and price, linked to the product page.

    Args:
        product: Product to show.
        href: URL of its page.
        price: Price as text.

    Returns:
        A ``<li>`` element with all text escaped.
    """
    return (
        f'<li><a href="{escape(href)}"><img loading="lazy" src="/images/{escape(product.image_name)}"'
        f' alt="{escape(product.title)}"><p class="brand">{escape(product.brand)}</p>'
        f"<p>{escape(product.title.removeprefix(product.brand).strip())}</p>"
        f'<p class="price">{escape(price)}</p></a></li>'
    )


def listing(site: str, menu: Mapping[str, str], results: ResultPage, cards: str, scripts: str) -> str:
    """HTML of a listing page with links to the previous and next page.

    Args:
        site: Name of the site.
        menu: Paths by menu entry.
        results: Products and page numbers.
        cards: HTML of the products.
        scripts: HTML of the embedded data.
    """
    previous, following = results.link(results.page - 1), results.link(results.page + 1)
    relations = [("prev", previous, "← Previous"), ("next", following, "Next →")]
    links = [(rel, escape(href), label) for rel, href, label in relations if href]
    head = "".join(f'<link rel="{rel}" href="{href}">' for rel, href, _ in links)
    nav = "".join(f'<a rel="{rel}" href="{href}">{label}</a>' for rel, href, label in links)
    heading = (
        f"<h1>{escape(results.heading)}</h1><p>{results.total:,} products, page {results.page} of {results.n_pages}</p>"
    )
    return document(
        site, menu, results.heading, body=f"{heading}<ul>{cards}</ul><nav>{nav}</nav>", head=head, scripts=scripts
    )


def product(site: str, menu: Mapping[str, str], shoe: Product, facts: Mapping[str, str], scripts: str) -> str:
    """HTML of a product page with a large image.

    Args:
        site: Name of the site.
        menu: Paths by menu entry.
        shoe: The product.
        facts: Values shown below the image, by label.
        scripts: HTML of the embedded data.
    """
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    body = (
        f'<article><h1>{escape(shoe.title)}</h1><img src="/images/{escape(shoe.image_name)}"'
        f' alt="{escape(shoe.title)}"><dl>{rows}</dl></article>'
    )
    return document(site, menu, shoe.title, body=body, scripts=scripts)


def document(site: str, menu: Mapping[str, str], title: str, *, body: str, head: str = "", scripts: str = "") -> str:
    """Complete HTML document.

    Args:
        site: Name of the site, shown in the header.
        menu: Paths by menu entry.
        title: Title of the document.
        body: HTML of the main element.
        head: HTML appended to the head.
        scripts: HTML appended to the body.
    """
    links = "".join(f'<a href="{escape(href)}">{escape(name)}</a>' for name, href in menu.items())
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} | {escape(site)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>{head}</head><body>'
        f"<header><b>{escape(site)}</b>{links}</header><main>{body}</main>{scripts}</body></html>"
    )
