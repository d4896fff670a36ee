"""GOAT, a marketplace of new and used sneakers; pages saved from a browser and responses of its API are parsed.

A product page embeds its data as JSON, and so do the pages of searches and collections. The API returns the same data
in several responses: the product, the offers of each size (``buy_bar_data``), and results of the search service
Constructor.io. A product is identified by the ID of its template in all of them.

Amounts are in cents. An amount that comes with its currency is in that currency; a plain number, whose name may end in
``_usd``, is in US dollars, as GOAT puts other currencies in fields of their own. Prices are lowest asks and last sales.
GOAT answers most crawlers with 403.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from sneaker_assets.sites.base import Details, Listing, Page, Price, Site
from sneaker_assets.sites.condition import stated_condition
from sneaker_assets.sites.money import currency_code
from sneaker_assets.sites.parsing import (
    Document,
    Parser,
    attribute,
    dig,
    first_text,
    host_of,
    items,
    lowest,
    make_page,
    mapping,
    number,
    objects,
    page_number,
    parse_date,
    parse_first,
    price,
    text,
    with_query,
)
from sneaker_assets.sites.sizes import size_system
from sneaker_assets.sites.taxonomy import exclusion
from sneaker_assets.tables import Condition, LabelKind, SizeSystem

NAME = "goat"
HOME = "https://www.goat.com"
DOMAIN = "goat.com"
HOSTS = frozenset({"ac.cnstrc.com"})
CURRENCY = "USD"
"""Currency of amounts that are plain numbers."""

_LISTS = ("results", "productTemplates", "products", "hits")
_TOTALS = ("total_num_results", "totalNumResults", "totalCount", "nbHits")
_PICTURES = ("mainPictureUrl", "pictureUrl", "imageUrl", "gridPictureUrl", "mainGlowPictureUrl", "gridGlowPictureUrl")
_RETAIL = ("localizedSpecialDisplayPriceCents", "localizedRetailPriceCents", "specialDisplayPriceCents")
_WITHOUT_CENTS = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"})
"""Currencies in which an amount in cents is ambiguous."""

_OFFERS_PATH = re.compile(r"/product_variants(?:/|$)")
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_COMPACT_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)")


def parse_page(body: bytes, url: str) -> Page:
    """Parse a page of GOAT or a response of its API.

    Raises:
        PageError: The page has none of the known formats or lists no product.
    """
    return parse_first(NAME, PARSERS, body, url, DOMAIN, hosts=HOSTS)


def _parse_product_page(document: Document) -> Page | None:
    """Product page in ``__NEXT_DATA__``, or the response that replaces it when the site is browsed."""
    for state in _states(document):
        for found in objects(state):
            if _is_product(product := dig(found, "productTemplate")):
                return _product_page(product, _offers(state), "next_data_product")
    return None


def _parse_product(document: Document) -> Page | None:
    """Response of the API with one product."""
    product = document.json
    return _product_page(product, _offers(product), "api_product") if _is_product(product) else None


def _parse_offers(document: Document) -> Page | None:
    """Response of the API with the offers of each size of a product, whose ID only the URL states."""
    parts = urlsplit(document.url)
    product_id = text(dict(parse_qsl(parts.query)).get("productTemplateId"))
    if product_id is None or not _OFFERS_PATH.search(parts.path) or not isinstance(document.json, list):
        return None
    if document.json and not any(map(_is_offer, document.json)):
        return None
    found = _offer_prices(document.json, None)
    return Page((), "api_offers", listed=0, details=(Details(product_id, prices=found),))


def _parse_results(document: Document) -> Page | None:
    """Results of the search service, or a page of a search or collection."""
    page_format = "next_data_search" if document.json is None else "api_search"
    for state in _states(document):
        for found in objects(state):
            entries = next((items(found, name) for name in _LISTS if isinstance(found.get(name), list)), None)
            total = next((found[name] for name in _TOTALS if name in found), None)
            if entries is not None and (total == 0 or any(_is_product(_entry(entry)) for entry in entries)):
                listings = [_listing(_entry(entry), page_format) for entry in entries]
                return make_page(listings, page_format, _next_page(state, total, document), total)
    return None


PARSERS: Mapping[str, Parser] = {
    "next_data_product": _parse_product_page,
    "api_product": _parse_product,
    "api_offers": _parse_offers,
    "search": _parse_results,
}

PAGE_FORMATS: Mapping[str, Sequence[str]] = {
    "next_data_product": ["next_data_product", "next_data_json"],
    "api_product": ["api_product"],
    "api_offers": ["buy_bar_data", "no_offers"],
    "next_data_search": ["next_data_collection"],
    "api_search": ["constructor_search", "empty_search"],
}


def _states(document: Document) -> list[Any]:
    if document.json is not None:
        return [document.json]
    scripts = (script for script in document.scripts if attribute(script, "id") == "__NEXT_DATA__")
    return [document.script_json(script) for script in scripts]


def _field(node: Any, *names: str) -> Any:
    """Value of the first of the fields that is not None; the search service writes them in snake case."""
    spellings = (spelling for name in names for spelling in (name, _CAPITAL.sub(r"_\1", name).lower()))
    return next((value for spelling in spellings if (value := dig(node, spelling)) is not None), None)


def _entry(entry: Any) -> Any:
    """Fields of a result; the search service nests them and puts the title beside them."""
    data = mapping(entry, "data")
    if not data:
        return entry
    return {"name": dig(entry, "value"), "variationsMap": dig(entry, "variations_map")} | data


def _is_product(node: Any) -> bool:
    """Whether an object is a product of GOAT; the search service also serves other shops."""
    picture = host_of(_picture(node))
    known = isinstance(node, dict) and _key(node) is not None
    return known and all(text(_field(node, name)) for name in ("name", "slug")) and _is_own(picture)


def _is_own(host: str) -> bool:
    return not host or host == DOMAIN or host.endswith(f".{DOMAIN}")


def _key(node: Any) -> str | None:
    return first_text(_field(node, "productTemplateId"), _field(node, "id"))


def _picture(node: Any) -> str:
    extra = (
        dig(picture, name) for picture in items(_field(node, "productTemplateExternalPictures")) for name in _PICTURES
    )
    return first_text(*(_field(node, name) for name in _PICTURES), *extra) or ""


def _product_page(product: Any, offers: list[Any], page_format: str) -> Page | None:
    """Page of one product, whose sizes on other pages are in the system that this one states."""
    listing = _listing(product, page_format)
    if listing is None:
        return None
    system = _system(product)
    by_size = _offer_prices(offers, system)
    known = {(found.condition, found.label_kind) for found in by_size if found.size is None}
    summary = tuple(found for found in listing.prices if (found.condition, found.label_kind) not in known)
    page = make_page([replace(listing, prices=(*summary, *by_size))], page_format)
    details = Details(listing.product_id, size_system=system)
    return replace(page, details=(details,)) if page and system and page.listings else page


def _listing(node: Any, page_format: str) -> Listing | None:
    """Listing of a product, None if the node is not one."""
    product_id, title, slug = _key(node), text(_field(node, "name")), text(_field(node, "slug"))
    if product_id is None or title is None or slug is None or not _is_product(node):
        return None
    retail = next((stated for name in _RETAIL if (stated := _amount(_field(node, name), "retail"))), None) or _plain(
        node, "retailPriceCents", "retail"
    )
    return Listing(
        site=NAME,
        product_id=product_id,
        url=f"{HOME}/sneakers/{quote(slug, safe='-._~%')}",
        title=title,
        image_url=_picture(node),
        page_format=page_format,
        brand=first_text(_field(node, "brandName"), _field(node, "brand")),
        style_code=text(_field(node, "sku")),
        colourway=first_text(_field(node, "details"), _field(node, "colorway"), _field(node, "color")),
        retail_price=retail.amount if retail else None,
        retail_currency=retail.currency if retail and retail.amount is not None else None,
        release_date=_date(_field(node, "releaseDate")),
        prices=(*_product_prices(node), *((retail,) if retail and retail.problem else ())),
        exclusion=exclusion((text(_field(node, name)) for name in ("productType", "productCategory")), title=title),
    )


def _date(value: Any) -> datetime | None:
    """Date of an ISO 8601 date-time, or of digits such as ``20210310``."""
    compact = _COMPACT_DATE.fullmatch(text(value) or "")
    return parse_date("-".join(compact.groups()) if compact else value)


def _product_prices(node: Any) -> tuple[Price, ...]:
    """The lowest ask of a product in each condition, or that of all of them."""
    available = _field(node, "hasStock")
    stock = available if isinstance(available, bool) else None
    new, used = (_plain(node, f"{state}LowestPriceCents", "lowest_ask", available=stock) for state in ("new", "used"))
    by_condition = (
        *((replace(new, condition="new"),) if new else ()),
        *((replace(used, condition="used"),) if used else ()),
    )
    if by_condition:
        return by_condition
    condition = _condition(_field(node, "productCondition", "shoeCondition"), _field(node, "boxCondition"))
    names = ("lowestPriceCents", "instantShipLowestPriceCents")
    asked = next((found for name in names if (found := _plain(node, name, "lowest_ask", available=stock))), None)
    return (replace(asked, condition=condition),) if asked else tuple(_variation_prices(node))


def _variation_prices(node: Any) -> Iterator[Price]:
    """Lowest asks by condition of shoe and box, in the currency of a region that is not stated."""
    found: dict[Condition | None, list[Price]] = {}
    for shoe, boxes in mapping(_field(node, "variationsMap")).items():
        for box, amounts in mapping(boxes).items():
            if asked := _in_cents(_field(amounts, "minRegionalPrice"), None, "lowest_ask"):
                found.setdefault(_condition(shoe, box), []).append(asked)
    for condition, asks in found.items():
        if cheapest := lowest(asks):
            yield replace(cheapest, condition=condition)


def _plain(node: Any, name: str, kind: LabelKind, *, available: bool | None = None) -> Price | None:
    """Amount of a product under a name or its localised or US dollar variants."""
    localised = f"localized{name[0].upper()}{name[1:]}"
    fields = (_field(node, spelling) for spelling in (localised, f"{name}Usd", name))
    return next((found for raw in fields if (found := _amount(raw, kind, available=available))), None)


def _offers(state: Any) -> list[Any]:
    """Offers by size that a page embeds, empty if there are none."""
    lists = (value for found in objects(state) for value in found.values() if isinstance(value, list))
    return next((value for value in lists if any(map(_is_offer, value))), [])


def _is_offer(value: Any) -> bool:
    return "sizeOption" in mapping(value) and "shoeCondition" in mapping(value)


def _offer_prices(offers: Iterable[Any], system: SizeSystem | None) -> tuple[Price, ...]:
    """Prices of each size and condition, after the lowest ask of the product in each condition."""
    found = [price for offer in offers if _is_offer(offer) for price in _prices_of_offer(offer, system)]
    by_key: dict[tuple[Condition | None, LabelKind, str | None], list[Price]] = {}
    for stated in found:
        by_key.setdefault((stated.condition, stated.label_kind, stated.size), []).append(stated)
    cheapest = [best for prices in by_key.values() if (best := lowest(prices))]
    asks: dict[Condition | None, list[Price]] = {}
    for stated in cheapest:
        if stated.label_kind == "lowest_ask":
            asks.setdefault(stated.condition, []).append(stated)
    summary = (replace(best, size=None, size_system=None) for prices in asks.values() if (best := lowest(prices)))
    return (*summary, *cheapest, *dict.fromkeys(stated for stated in found if stated.problem))


def _prices_of_offer(offer: Any, system: SizeSystem | None) -> Iterator[Price]:
    size = first_text(dig(offer, "sizeOption", "presentation"), dig(offer, "sizeOption", "value"), dig(offer, "size"))
    if size is None:
        return
    stock = _in_stock(dig(offer, "stockStatus"))
    condition = _condition(dig(offer, "shoeCondition"), dig(offer, "boxCondition"))
    asks = (dig(offer, name) for name in ("lowestPriceCents", "instantShipLowestPriceCents"))
    asked = next((found for raw in asks if (found := _amount(raw, "lowest_ask", available=stock))), None)
    sold = _amount(dig(offer, "lastSoldPriceCents"), "last_sale")
    for found in (asked, sold):
        if found:
            yield replace(found, size=size, size_system=system, condition=condition)


def _in_stock(status: Any) -> bool | None:
    if not isinstance(status, str) or not status.endswith("in_stock"):
        return None
    return not status.startswith("not_")


def _condition(shoe: Any, box: Any) -> Condition | None:
    """Condition of a shoe; an unworn one whose box is missing or damaged counts as one with defects."""
    condition = stated_condition(shoe)
    return "defects" if condition == "new" and box not in (None, "", "good_condition") else condition


def _system(product: Any) -> SizeSystem | None:
    gender = _field(product, "singleGender") or _field(product, "gender")
    wearers = [text(wearer) for wearer in (gender if isinstance(gender, list) else [gender])]
    return size_system(text(_field(product, "sizeUnit")), *wearers)


def _amount(raw: Any, kind: LabelKind, *, available: bool | None = None) -> Price | None:
    """Price from an amount in cents, with its currency or as a plain number of US cents; None if there is none."""
    if not isinstance(raw, dict):
        return _in_cents(raw, CURRENCY, kind, available=available)
    code, dollars = currency_code(_field(raw, "currency")), _field(raw, "amountUsdCents")
    if code in _WITHOUT_CENTS or _is_missing(_field(raw, "amount")):
        found = _in_cents(dollars, CURRENCY, kind, available=available)
        if found or code not in _WITHOUT_CENTS or _is_missing(_field(raw, "amount")):
            return found
        stated = text(_field(raw, "amount"))
        return Price(None, code, kind, raw_text=stated, available=available, problem=f"{code} has no cents")
    return _in_cents(_field(raw, "amount"), code, kind, available=available)


def _in_cents(raw: Any, code: str | None, kind: LabelKind, *, available: bool | None = None) -> Price | None:
    if _is_missing(raw):
        return None
    cents = number(raw)
    if cents is None:
        return Price(None, code, kind, raw_text=text(raw), available=available, problem="not an amount in cents")
    found = price(cents / 100, code, kind, available=available)
    return replace(found, raw_text=text(raw)) if found else None


def _is_missing(raw: Any) -> bool:
    return raw is None or raw == "" or number(raw) == 0


def _next_page(state: Any, total: Any, document: Document) -> str | None:
    """URL of the next page of results of the search service."""
    shown, size = page_number(document.url), number(dig(state, "request", "num_results_per_page"))
    count = number(total)
    return with_query(document.url, page=shown + 1) if size and count and shown * size < count else None


SITE = Site(
    name=NAME,
    home=HOME,
    start_path="/sneakers",
    releases_path=None,
    parse_page=parse_page,
    image_hosts=frozenset({"image.goat.com"}),
    hosts=HOSTS,
    page_formats=PAGE_FORMATS,
)
SITES = (SITE,)
