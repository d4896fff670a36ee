"""Parsing of products in schema.org JSON-LD: the products of a page or of its list, with their offers and variants.

extruct was considered for finding the data; it skips scripts whose type has a charset, drops those that are not strict
JSON, and needs RDFa and microformat libraries.

https://schema.org/ItemList  https://schema.org/Product  https://schema.org/ProductGroup
"""

import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from sneaker_assets.sites.availability import is_available
from sneaker_assets.sites.base import Listing, PageError, Price
from sneaker_assets.sites.condition import condition_of
from sneaker_assets.sites.parsing import (
    Document,
    attribute,
    dig,
    first,
    first_text,
    lowest,
    lowest_and_sizes,
    number,
    parse_date,
    price,
    text,
)
from sneaker_assets.sites.taxonomy import exclusion
from sneaker_assets.tables import LabelKind

PAGE_FORMAT = "json_ld"

_NAMESPACE = re.compile(r"(?:https?://schema\.org/|schema:)", re.IGNORECASE)
_MAIN = ("mainEntity", "@graph", "about")
"""Properties of a page that hold what the page is about."""

_CROSSED_OUT = ("listprice", "strikethroughprice", "msrp", "srp", "regularprice", "invoiceprice", "minimumadvertised")
_CHARGES = frozenset({"DeliveryChargeSpecification", "PaymentChargeSpecification"})
MAX_PRODUCTS = 10_000
"""Maximum number of products of a page."""


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

    Products of the page itself are preferred to those of its lists; products that another one only refers to, such as
    related ones, are not listings. A group of variants is one product.

    Args:
        document: The page.
        dialect: Conventions of the site.

    Raises:
        PageError: The page has more products than any page of a site.
    """
    scripts = [tag for tag in document.scripts if _is_json_ld(attribute(tag, "type"))]
    roots = [node for script in scripts for node in _roots(_normalised(document.script_json(script)))]
    by_id = {text(node.get("@id")): node for node in roots if node.get("@id") and len(node) > 1}
    products = [node for node in roots if _is_a(node, "ProductGroup", "Product")]
    if not products:
        listed = [entry for node in roots if _is_a(node, "ItemList") for entry in _entries(node, by_id)]
        products = [node for node in listed if _is_a(node, "ProductGroup", "Product")] or listed
    if len(products) > MAX_PRODUCTS:
        raise PageError(f"{dialect.site}: {document.url} has more than {MAX_PRODUCTS:,} products in its JSON-LD")
    return [_listing(node, document, dialect) for node in _of_the_page(_grouped(products, by_id), document)]


def _is_json_ld(kind: str) -> bool:
    return kind.partition(";")[0].strip().lower() == "application/ld+json"


def _normalised(value: Any) -> Any:
    """The value with plain names of properties and types, and texts without HTML entities."""
    if isinstance(value, list):
        return [_normalised(inner) for inner in value]
    if isinstance(value, str):
        return html.unescape(html.unescape(value)) if "&" in value else value
    if not isinstance(value, dict):
        return value
    if "@value" in value:
        return _normalised(value["@value"])
    if isinstance(value.get("@list"), list):
        return _normalised(value["@list"])
    return {_NAMESPACE.sub("", name): _normalised(inner) for name, inner in value.items()}


def _roots(value: Any) -> Iterator[dict[str, Any]]:
    """Nodes that a script is about: its top level, its graph, and the main entities of these."""
    for node in _each(value):
        if isinstance(node, dict):
            yield node
            if not _is_a(node, "Product", "ProductGroup", "ItemList"):
                yield from _roots([inner for name in _MAIN for inner in _each(node.get(name))])


def _entries(item_list: dict[str, Any], by_id: dict[str | None, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Products of a list, or its elements if they do not embed them."""
    for element in _each(item_list.get("itemListElement")):
        item = element.get("item") if isinstance(element, dict) else None
        found = _resolved(item if isinstance(item, dict) else element, by_id)
        if isinstance(found, dict):
            position = {name: element[name] for name in ("name", "url", "image") if element.get(name)}
            linked = {"url": item} if isinstance(item, str) else {}
            yield position | linked | found if found is not element else linked | element


def _grouped(
    products: list[dict[str, Any]], by_id: dict[str | None, dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each product with its variants; variants of one group that are listed on their own are one product."""
    groups: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for position, node in enumerate(products):
        parent = first(node.get("isVariantOf"))
        resolved = _resolved(parent, by_id) if isinstance(parent, dict) else None
        of = first_text(
            node.get("inProductGroupWithID"), dig(resolved, "productGroupID"), dig(parent, "@id"), dig(resolved, "@id")
        )
        own = first_text(node.get("productGroupID"), node.get("@id")) if _is_a(node, "ProductGroup") else None
        key = own or of or f"\0{position}"
        variants = [_resolved(variant, by_id) for variant in _each(node.get("hasVariant"))]
        group, members = groups.setdefault(key, (node if own or not of else (resolved or {}) | node, []))
        if own and group is not node:
            groups[key] = node, members
        members += [variant for variant in variants if isinstance(variant, dict)]
        if of and not own:
            members.append(node)
    yield from groups.values()


def _of_the_page(
    products: Iterable[tuple[dict[str, Any], list[dict[str, Any]]]], document: Document
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The products whose address is that of the page, if there are any; otherwise all."""
    found = list(products)
    here = _path(document.url)
    own = [(node, variants) for node, variants in found if here and _path(_address(node, document)) == here]
    return own or found


def _address(node: dict[str, Any], document: Document) -> str:
    return document.link(first_text(node.get("url"), dig(first(node.get("offers")), "url"), node.get("@id")))


def _path(address: str) -> str:
    try:
        return urlsplit(address).path.rstrip("/")
    except ValueError:
        return ""


def _listing(
    product: tuple[dict[str, Any], list[dict[str, Any]]], document: Document, dialect: Dialect
) -> Listing | None:
    node, variants = product
    described = [node, *variants]
    address = next((found for one in described if (found := _address(one, document))), "") or document.url
    title = first_text(*(one.get("name") for one in described))
    product_id = dialect.product_id(node, address)
    if title is None or product_id is None:
        return None
    image = next((found for one in described if (found := _image(one, document))), "")
    brand = first(_known(described, "brand"))
    return Listing(
        site=dialect.site,
        product_id=product_id,
        url=address,
        title=title,
        image_url=image,
        page_format=PAGE_FORMAT,
        brand=first_text(brand, dig(brand, "name")),
        style_code=text(_known(described, dialect.style_field)),
        colourway=text(_known(described, "color")),
        release_date=parse_date(node.get("releaseDate")) or parse_date(_known(_offers(node), "availabilityStarts")),
        prices=offer_prices(node, dialect.price_kind, variants),
        exclusion=exclusion(_categories(node), title=title),
    )


def _known(nodes: Iterable[dict[str, Any]], name: str) -> Any:
    """First value of a property that any of the nodes has."""
    return next((value for node in nodes if (value := node.get(name))), None)


def _image(node: dict[str, Any], document: Document) -> str:
    image = first(node.get("image"))
    return document.link(first_text(image, *(dig(image, name) for name in ("url", "contentUrl", "@id"))))


def _categories(node: dict[str, Any]) -> list[str]:
    category = (found for value in _each(node.get("category")) for found in (value, dig(value, "name")))
    return [found for value in category if (found := text(value)) and not found.startswith("http")]


def offer_prices(node: dict[str, Any], kind: LabelKind, variants: Iterable[dict[str, Any]] = ()) -> tuple[Price, ...]:
    """The lowest price of a product, that of each of its sizes, and those that cannot be read.

    Args:
        node: The product, or the group of variants.
        kind: Kind of price that an offer states.
        variants: Variants of the product, whose offers take precedence over its own.
    """
    offered = [replace(found, size=_size(variant)) for variant in variants for found in _offer_prices(variant, kind)]
    return lowest_and_sizes(offered or list(_offer_prices(node, kind)))


def _size(variant: dict[str, Any]) -> str | None:
    size = first(variant.get("size"))
    named = next(
        (
            dig(entry, "value")
            for entry in _each(variant.get("additionalProperty"))
            if (text(dig(entry, "name")) or "").lower() in ("size", "taille", "größe", "talla", "taglia")
        ),
        None,
    )
    return first_text(size, dig(size, "name"), dig(size, "value"), named)


def _offers(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [offer for offer in _each(node.get("offers")) if isinstance(offer, dict)]


def _offer_prices(node: dict[str, Any], kind: LabelKind) -> Iterator[Price]:
    """Prices of all offers of a product, those nested in an aggregate offer instead of its summary."""
    for offer in _offers(node):
        if nested := list(_offer_prices(offer, kind)):
            yield from nested
        elif found := _offer_price(offer, kind):
            stated = first(offer.get("itemCondition")) or first(node.get("itemCondition"))
            yield replace(found, condition=condition_of(first_text(stated, dig(stated, "@id"), dig(stated, "name"))))


def _offer_price(offer: dict[str, Any], kind: LabelKind) -> Price | None:
    available = is_available(first(offer.get("availability")))
    if number(offer.get("offerCount")) == 0:
        available = False
    currency = first_text(first(offer.get("priceCurrency")))
    for name in ("price", "lowPrice"):
        if stated := price(first(offer.get(name)), currency, kind, available=available):
            return stated
    specified = [spec for spec in _each(offer.get("priceSpecification")) if isinstance(spec, dict) and _applies(spec)]
    full = [spec for spec in specified if not _is_crossed_out(spec)]
    read = [
        found
        for spec in full or specified
        for raw in (spec.get("price") if spec.get("price") is not None else spec.get("minPrice"),)
        if (found := price(first(raw), first_text(spec.get("priceCurrency"), currency), kind, available=available))
    ]
    return lowest(read) or first(read)


def _applies(specification: dict[str, Any]) -> bool:
    """Whether a price specification is that of the product: no charge, unit price or price for members."""
    conditions = ("validForMemberTier", "referenceQuantity", "membershipPointsEarned")
    return not _is_a(specification, *_CHARGES) and not any(specification.get(name) for name in conditions)


def _is_crossed_out(specification: dict[str, Any]) -> bool:
    return (text(specification.get("priceType")) or "").rpartition("/")[2].lower().startswith(_CROSSED_OUT)


def _resolved(node: Any, by_id: dict[str | None, dict[str, Any]]) -> Any:
    """The node that a reference such as ``{"@id": "#group"}`` names, or the node itself."""
    known = by_id.get(text(node.get("@id"))) if isinstance(node, dict) and node.keys() <= {"@id", "@type"} else None
    return node if known is None else known


def _each(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _is_a(node: dict[str, Any], *kinds: str) -> bool:
    stated = (_NAMESPACE.sub("", kind) for kind in _each(node.get("@type")) if isinstance(kind, str))
    return any(kind in kinds for kind in stated)
