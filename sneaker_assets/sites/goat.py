"""GOAT, a sneaker marketplace, in pages saved from a browser: page state, responses of its API and of its search.

Asks are amounts in cents by size and condition. The product data and the asks of a product are separate responses,
joined by its ID, the same in all formats. Search results come from Constructor (``ac.cnstrc.com``), since 2025 from the
site's own API.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from sneaker_assets.sites.availability import is_available
from sneaker_assets.sites.base import Details, Listing, Page, PageError, Price, Site
from sneaker_assets.sites.parsing import (
    Document,
    Parser,
    attribute,
    dig,
    first_text,
    host_of,
    items,
    lowest_and_sizes,
    make_page,
    mapping,
    nested_objects,
    number,
    parse_date,
    parse_first,
    price,
    text,
)
from sneaker_assets.sites.placeholders import image_address
from sneaker_assets.sites.taxonomy import exclusion
from sneaker_assets.tables import Condition, LabelKind, SizeSystem

NAME = "goat"
HOME = "https://www.goat.com"
DOMAIN = "goat.com"
SEARCH_HOSTS = frozenset({"ac.cnstrc.com", "goat.cnstrc.com"})
"""Hosts of Constructor, which also answer for other shops."""

_CONDITIONS: Mapping[str, Condition] = {
    "new_no_defects": "new",
    "new": "new",
    "1": "new",
    "new_with_defects": "defects",
    "used": "used",
    "goat_clean": "used",
}
_GOOD_BOXES = frozenset({"good_condition", "1"})
_IN_STOCK: Mapping[str, bool] = {"not_in_stock": False, "single_in_stock": True, "multiple_in_stock": True}
_US_SYSTEMS: Mapping[str, SizeSystem] = {
    "men": "us_men",
    "women": "us_women",
    **dict.fromkeys(("youth", "infant", "kids", "toddler"), "us_kids"),
}
_SIZE_SYSTEMS: Mapping[str, SizeSystem] = {"us": "us", "1": "us", "uk": "uk", "eu": "eu", "jp": "jp", "cm": "cm"}
_TEMPLATE = frozenset({"id", "slug", "name"})
_PICTURES = ("mainPictureUrl", "pictureUrl", "originalPictureUrl", "gridPictureUrl", "image_url")
_RETAIL = ("localizedRetailPriceCents", "localizedSpecialDisplayPriceCents", "retailPriceCents")
_BUY_BAR = re.compile(r"/product_variants/buy_bar_data/?$")


def parse_page(body: bytes, url: str) -> Page:
    """Parse a page or a response of GOAT.

    Raises:
        PageError: The page has none of the known formats, or its asks do not state their product by its ID.
    """
    return parse_first(NAME, PARSERS, body, url, None if host_of(url) in SEARCH_HOSTS else DOMAIN)


def _parse_asks(document: Document) -> Page | None:
    """Asks of one product by size and condition (``buy_bar_data``), whose address has the product's ID.

    Raises:
        PageError: The address has the product's slug instead.
    """
    parts = urlsplit(document.url)
    if not _BUY_BAR.search(parts.path):
        return None
    variants = document.json if isinstance(document.json, list) else dig(document.json, "productVariants")
    if not isinstance(variants, list) or not all(map(_is_variant, variants)):
        return None
    product_id = dict(parse_qsl(parts.query)).get("productTemplateId", "")
    if not (product_id.isascii() and product_id.isdigit()):
        raise PageError(f"{NAME}: {document.url} states its product as {product_id!r} instead of by a numeric ID")
    return Page((), "asks", listed=0, details=(Details(product_id, prices=_variant_prices(variants)),))


def _parse_product(document: Document) -> Page | None:
    """Product data: the state of a product page, or a response of the API with one or several products."""
    for state in _states(document):
        if templates := _templates(state):
            variants = _variants(state) if len(templates) == 1 else []
            return make_page([_product_listing(template, variants, document) for template in templates], "product")
    return None


def _parse_search(document: Document) -> Page | None:
    """Search results of the site's API, also in the state of a page."""
    for state in _states(document):
        for found, _ in nested_objects(state):
            if isinstance(dig(found, "productsList"), list):
                listings = [_search_listing(product, document) for product in items(found, "productsList")]
                return make_page(listings, "search", total=dig(found, "totalResults"))
    return None


def _parse_constructor(document: Document) -> Page | None:
    """Search results of Constructor, also in the state of a page; those of another shop have other pictures."""
    for state in _states(document):
        for found, _ in nested_objects(state):
            results = items(found, "results")
            pictures = [text(dig(result, "data", "image_url")) for result in results]
            if all(_is_own(picture) for picture in pictures if picture):
                listings = [_constructor_listing(result, document) for result in results]
                if page := make_page(listings, "constructor", total=dig(found, "total_num_results")):
                    return page
    return None


PARSERS: Mapping[str, Parser] = {
    "asks": _parse_asks,
    "product": _parse_product,
    "search": _parse_search,
    "constructor": _parse_constructor,
}

PAGE_FORMATS: Mapping[str, Sequence[str]] = {
    "asks": ["buy_bar_data"],
    "product": ["next_data_product", "product_template", "recommended"],
    "search": ["consumer_search", "empty_search"],
    "constructor": ["constructor_search", "next_data_collection"],
}


def _states(document: Document) -> list[Any]:
    if document.json is not None:
        return [document.json]
    return [document.script_json(script) for script in document.scripts if attribute(script, "id") == "__NEXT_DATA__"]


def _templates(state: Any) -> list[Any]:
    """Distinct products of a state: those named ``productTemplate``, else the response itself or the list in it."""
    named = [dig(found, "productTemplate") for found, _ in nested_objects(state)]
    whole = [state, *(state if isinstance(state, list) else items(state, "productTemplates"))]
    found = [value for value in named if _is_template(value)] or [value for value in whole if _is_template(value)]
    return list({text(template["id"]): template for template in found}.values())


def _is_template(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() >= _TEMPLATE and ("sku" in value or "brandName" in value)


def _variants(state: Any) -> list[Any]:
    """Asks in the state of a product page."""
    found = (value for above, _ in nested_objects(state) for value in above.values() if isinstance(value, list))
    return next((value for value in found if value and all(map(_is_variant, value))), [])


def _is_variant(value: Any) -> bool:
    return isinstance(value, dict) and "sizeOption" in value and ("lowestPriceCents" in value or "stockStatus" in value)


def _is_own(picture: str) -> bool:
    host = host_of(picture)
    return host == DOMAIN or host.endswith(f".{DOMAIN}")


def _product_listing(template: Any, variants: Sequence[Any], document: Document) -> Listing | None:
    system = _size_system(dig(template, "sizeUnit"), template)
    found = _variant_prices(variants, system) if variants else _template_prices(template)
    retail = next((read for name in _RETAIL if (read := _price(dig(template, name), "retail"))), None)
    listing = _listing(template, document, "product", title=dig(template, "name"), retail=retail, found=found)
    return listing and replace(listing, size_system=system)


def _template_prices(template: Any) -> tuple[Price, ...]:
    """Lowest asks that the product data have themselves, which are 0 on the pages of the site."""
    conditions: Mapping[str, Condition] = {"newLowestPriceCents": "new", "usedLowestPriceCents": "used"}
    read = {condition: _price(dig(template, name), "lowest_ask") for name, condition in conditions.items()}
    return tuple(replace(ask, condition=condition) for condition, ask in read.items() if ask)


def _search_listing(product: Any, document: Document) -> Listing | None:
    found = _summary([ask for variant in items(product, "variantsList") if (ask := _search_ask(variant, product))])
    if not found and dig(product, "inStock") is False:
        found = (_unavailable(),)
    retail = _price(dig(product, "localizedRetailPriceCents"), "retail")
    listing = _listing(product, document, "search", title=dig(product, "title"), retail=retail, found=found)
    return listing and replace(listing, size_system=_size_system(_unit(dig(product, "variantsList", 0)), product))


def _search_ask(variant: Any, product: Any) -> Price | None:
    available, size = is_available(dig(product, "inStock")), text(dig(variant, "size", "size"))
    read = _price(dig(variant, "localizedLowestPriceCents"), "lowest_ask", size, available=available)
    system = _size_system(_unit(variant), product)
    return read and _with_state(read, dig(variant, "productCondition"), dig(variant, "boxCondition"), system)


def _unit(variant: Any) -> Any:
    return dig(variant, "size", "sizeUnit")


def _constructor_listing(result: Any, document: Document) -> Listing | None:
    data = dig(result, "data")
    retail = _price(_in_dollars(data, "retail_price_cents"), "retail")
    ask = _price(_in_dollars(data, "lowest_price_cents"), "lowest_ask")
    sold_out = number(dig(data, "lowest_price_cents")) == 0
    seen = ask or (_unavailable() if sold_out else None)
    found = () if seen is None else (_with_state(seen, dig(data, "product_condition"), dig(data, "box_condition")),)
    return _listing(data, document, "constructor", title=dig(result, "value"), retail=retail, found=found)


def _in_dollars(data: Any, name: str) -> Any:
    """Amount in US dollars: the one so named, else the one without a currency beside those in all others."""
    if number(dig(data, f"{name}_usd")):
        return {"amount": dig(data, f"{name}_usd"), "currency": "USD"}
    others = any(re.fullmatch(f"{name}_[a-z]{{3}}", key) for key in mapping(data))
    return {"amount": dig(data, name), "currency": "USD"} if others else dig(data, name)


def _listing(
    product: Any, document: Document, page_format: str, *, title: Any, retail: Price | None, found: tuple[Price, ...]
) -> Listing | None:
    """Listing from the fields that all formats share; None if the data is not that of a product."""
    product_id, slug, title = text(dig(product, "id")), text(dig(product, "slug")), text(title)
    if product_id is None or slug is None or title is None:
        return None
    pictures = (document.link(address) for name in _PICTURES if isinstance(address := dig(product, name), str))
    types = (dig(product, name) for name in ("productType", "product_type", "productCategory", "category"))
    return Listing(
        site=NAME,
        product_id=product_id,
        url=f"{HOME}/sneakers/{quote(slug, safe='')}",
        title=title,
        image_url=next((picture for picture in pictures if image_address(picture)), ""),
        page_format=page_format,
        brand=first_text(dig(product, "brandName"), dig(product, "brand_name")),
        style_code=text(dig(product, "sku")),
        colourway=first_text(dig(product, "details"), dig(product, "color")),
        retail_price=retail.amount if retail else None,
        retail_currency=retail.currency if retail and retail.amount is not None else None,
        release_date=_release_date(_first_of(product, "releaseDate", "release_date")),
        prices=(*found, *((retail,) if retail and retail.problem else ())),
        exclusion=exclusion((text(label) for label in types), title=title),
    )


def _first_of(product: Any, *names: str) -> Any:
    """Value of the first field that a product has, None if it has none of them."""
    return next((value for name in names if (value := dig(product, name)) is not None), None)


def _release_date(value: Any) -> datetime | None:
    """Midnight UTC of ``2021-03-10T23:59:59Z``, ``20210310`` or ``{"seconds": 1615420799}``."""
    if (seconds := number(dig(value, "seconds"))) is not None and seconds < 4e9:
        return parse_date(datetime.fromtimestamp(seconds, UTC).isoformat())
    stated = text(value) or ""
    return parse_date(f"{stated[:4]}-{stated[4:6]}-{stated[6:]}" if re.fullmatch(r"\d{8}", stated) else stated)


def _size_system(unit: Any, product: Any) -> SizeSystem | None:
    """System of sizes of a unit; of US sizes, by the gender of the product."""
    system = _SIZE_SYSTEMS.get((text(unit) or "").lower())
    genders = items(product, "gender") or [_first_of(product, "singleGender", "gender")]
    known = {_US_SYSTEMS.get((text(gender) or "").lower(), "us") for gender in genders}
    return known.pop() if system == "us" and len(known) == 1 else system


def _variant_prices(variants: Sequence[Any], system: SizeSystem | None = None) -> tuple[Price, ...]:
    """Lowest asks and last sales of a product's sizes; one ask without an amount if none is in stock."""
    asks = [ask for variant in variants if (ask := _variant_price(variant, "lowest_ask", system))]
    sales = [sale for variant in variants if (sale := _variant_price(variant, "last_sale", system))]
    out = bool(variants) and not asks and all(_in_stock(variant) is False for variant in variants)
    return (*_summary(asks), *((_unavailable(),) if out else ()), *sales)


def _variant_price(variant: Any, kind: LabelKind, system: SizeSystem | None) -> Price | None:
    size = first_text(dig(variant, "sizeOption", "presentation"), dig(variant, "sizeOption", "value"))
    if kind == "lowest_ask":
        read = _price(dig(variant, "lowestPriceCents"), kind, size, available=_in_stock(variant))
    else:
        read = _price(dig(variant, "lastSoldPriceCents"), kind, size)
    return read and _with_state(read, dig(variant, "shoeCondition"), dig(variant, "boxCondition"), system)


def _in_stock(variant: Any) -> bool | None:
    stated = dig(variant, "stockStatus")
    return _IN_STOCK.get(text(stated) or "", is_available(stated))


def _unavailable() -> Price:
    return Price(None, None, "lowest_ask", available=False)


def _summary(asks: Sequence[Price]) -> tuple[Price, ...]:
    """Lowest new ask of a product, and the lowest ask of each size by condition."""
    by_condition: dict[Condition | None, list[Price]] = {}
    for ask in asks:
        by_condition.setdefault(ask.condition, []).append(ask)
    return tuple(
        ask if ask.size is not None else replace(ask, size_system=None)
        for condition, found in by_condition.items()
        for ask in lowest_and_sizes(found)
        if ask.size is not None or ask.problem or condition in ("new", None)
    )


def _price(field: Any, kind: LabelKind, size: str | None = None, *, available: bool | None = None) -> Price | None:
    """Price from cents, alone or with a currency; from cents of US dollars if the amount has no currency."""
    cents, currency = field, None
    if isinstance(field, dict):
        cents, currency = _first_of(field, "amount", "amountCents"), field.get("currency")
        if (cents is None or currency is None) and field.get("amountUsdCents") is not None:
            cents, currency = field["amountUsdCents"], "USD"
    amount = number(cents)
    read = price(cents if amount is None else amount / 100, currency, kind, size, available=available)
    return read and replace(read, raw_text=text(cents))


def _with_state(read: Price, shoe: Any, box: Any, system: SizeSystem | None = None) -> Price:
    """Copy of a price with the condition of its shoe; a new one without a good box counts as one with defects."""
    system = system if read.size is not None else None
    stated = (text(shoe) or "").lower()
    condition = _CONDITIONS.get(stated)
    if stated and condition is None:
        return replace(read, amount=None, problem=f"the condition {stated!r} is not known", size_system=system)
    if condition == "new" and box is not None and (text(box) or "").lower() not in _GOOD_BOXES:
        condition = "defects"
    return replace(read, condition=condition, size_system=system)


SITE = Site(
    name=NAME,
    home=HOME,
    start_path="/sneakers",
    releases_path=None,
    parse_page=parse_page,
    image_hosts=frozenset({"image.goat.com"}),
    hosts=SEARCH_HOSTS,
    page_formats=PAGE_FORMATS,
)
SITES = (SITE,)
