"""Parsing of products in schema.org JSON-LD: an ``ItemList`` of products, or a single product.

https://schema.org/ItemList  https://schema.org/Product
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sneaker_assets.sites.base import Listing
from sneaker_assets.sites.money import amount_as_written
from sneaker_assets.sites.parsing import (
    Document,
    attribute,
    dig,
    first_text,
    objects,
    parse_date,
    parse_json,
    prices,
    text,
)
from sneaker_assets.tables import LabelKind

PAGE_FORMAT = "json_ld"


@dataclass(frozen=True, slots=True)
class Dialect:
    """Site-specific conventions of the JSON-LD.

    Attributes:
        site: Name of the site.
        price_kind: Kind of price that an offer states.
        product_id: Returns a product's identifier given its node and its URL, or None.
        style_field: Field that holds the manufacturer's style code.
    """

    site: str
    price_kind: LabelKind
    product_id: Callable[[dict[str, Any], str], str | None]
    style_field: str = "mpn"


def parse_products(document: Document, dialect: Dialect) -> list[Listing | None]:
    """Listings of the products on a page, None for each product that cannot be parsed.

    ``ListItem`` nodes without an embedded product are used only if the page has no ``Product`` node.

    Args:
        document: The page.
        dialect: Conventions of the site.
    """
    scripts = [tag for tag in document.scripts if attribute(tag, "type") == "application/ld+json"]
    nodes = [node for script in scripts for node in objects(parse_json(script.get_text()))]
    products = [node for node in nodes if _is_a(node, "Product")] or [
        node for node in nodes if _is_a(node, "ListItem") and not isinstance(node.get("item"), dict)
    ]
    return [_listing(node, document, dialect) for node in products]


def _listing(node: dict[str, Any], document: Document, dialect: Dialect) -> Listing | None:
    offer, image, brand = (_first(node.get(name)) for name in ("offers", "image", "brand"))
    address = document.link(first_text(node.get("url"), dig(offer, "url"), node.get("@id")))
    title, product_id = text(node.get("name")), dialect.product_id(node, address or document.url)
    if title is None or product_id is None:
        return None
    return Listing(
        site=dialect.site,
        product_id=product_id,
        url=address or document.url,
        title=title,
        image_url=document.link(first_text(image, dig(image, "url"), dig(image, "contentUrl"))),
        page_format=PAGE_FORMAT,
        brand=first_text(brand, dig(brand, "name")),
        style_code=text(node.get(dialect.style_field)),
        colourway=text(node.get("color")),
        release_date=parse_date(node.get("releaseDate")) or parse_date(dig(offer, "availabilityStarts")),
        prices=prices(
            dig(offer, "priceCurrency"),
            {dialect.price_kind: first_text(dig(offer, "price"), dig(offer, "lowPrice"))},
            read=amount_as_written,
        ),
    )


def _first(value: Any) -> Any:
    return dig(value, 0) if isinstance(value, list) else value


def _is_a(node: dict[str, Any], kind: str) -> bool:
    kinds = node.get("@type")
    return kind in kinds if isinstance(kinds, list) else kinds == kind
