"""Pages that imitate Farfetch: JSON-LD, and the page's state in a script that assigns to ``window``.

An upcoming release is a pre-order at its retail price, with its release date as ``availabilityStarts`` (JSON-LD) and
``releaseDate`` (JSON-LD and state).
"""

from typing import Any

from sneaker_assets.demo_shop import html
from sneaker_assets.demo_shop.catalogue import Product
from sneaker_assets.demo_shop.design import Silhouette
from sneaker_assets.demo_shop.html import ResultPage

LISTING_PATH = "/shopping/men/shoes-2/items.aspx"
RELEASES_PATH = "/shopping/men/coming-soon/items.aspx"
PAGE_SIZE = 48
IMAGE_SIZE = (470, 214)

KINDS: dict[Silhouette, str] = {
    "runner": "low-top sneakers",
    "skate": "low-top sneakers",
    "basketball": "high-top sneakers",
    "boot": "lace-up boots",
    "loafer": "loafers",
}
"""Names of the silhouettes on this site."""

_MENU = {"Shoes": LISTING_PATH, "Coming soon": RELEASES_PATH}


def product_path(shoe: Product) -> str:
    """Path of the page of a product."""
    return f"/shopping/men/{shoe.slug}-item-{shoe.product_id}.aspx"


def listing_page(results: ResultPage, base: str) -> str:
    """HTML of one page of a product listing.

    Args:
        results: Products and page numbers.
        base: Base URL of products and images.
    """
    first = (results.page - 1) * PAGE_SIZE + 1
    elements = [
        {"@type": "ListItem", "position": first + i, "item": _json_ld_product(shoe, base)}
        for i, shoe in enumerate(results.products)
    ]
    item_list = {"@type": "ItemList", "numberOfItems": len(elements), "itemListElement": elements}
    state = {
        "listingItems": {"items": [_item(shoe, base) for shoe in results.products]},
        "listingPagination": {
            "index": results.page,
            "view": PAGE_SIZE,
            "totalItems": results.total,
            "totalPages": results.n_pages,
        },
    }
    cards = "".join(html.card(shoe, product_path(shoe), _card_price(shoe)) for shoe in results.products)
    scripts = _json_ld(item_list) + _state("slice-listing", state)
    return html.listing("FARFETCH demo", _MENU, results, cards, scripts)


def product_page(shoe: Product, base: str) -> str:
    """HTML of the page of one product.

    Args:
        shoe: The product.
        base: Base URL of products and images.
    """
    facts = {
        "Price": html.dollars(shoe.price),
        "Colour": shoe.colourway,
        "Designer style ID": shoe.style_code,
        "Farfetch ID": shoe.product_id,
    }
    scripts = _json_ld(_json_ld_product(shoe, base)) + _state("slice-pdp", {"productViewModel": _view(shoe, base)})
    return html.product("FARFETCH demo", _MENU, shoe, facts, scripts)


def _card_price(shoe: Product) -> str:
    return f"{html.dollars(shoe.price)}{f', {shoe.release_date.isoformat()}' if shoe.announced else ''}"


def _json_ld(value: dict[str, Any]) -> str:
    data = {"@context": "https://schema.org", **value}
    return f'<script type="application/ld+json">{html.script_json(data)}</script>'


def _state(name: str, value: dict[str, Any]) -> str:
    return f"<script>window['__initialState_{name}__'] = {html.script_json(value)}</script>"


def _short_description(shoe: Product) -> str:
    return f"{shoe.model} {KINDS[shoe.design.silhouette]}"


def _json_ld_product(shoe: Product, base: str) -> dict[str, Any]:
    offer: dict[str, Any] = {
        "@type": "Offer",
        "price": shoe.price,
        "priceCurrency": "USD",
        "availability": "https://schema.org/PreOrder" if shoe.announced else "https://schema.org/InStock",
        "url": base + product_path(shoe),
    }
    release = {"releaseDate": shoe.release_date.isoformat()} if shoe.announced else {}
    if shoe.announced:
        offer["availabilityStarts"] = shoe.release_date.isoformat()
    return {
        "@type": "Product",
        "name": _short_description(shoe),
        "productID": shoe.product_id,
        "sku": shoe.product_id,
        "mpn": shoe.style_code,
        "color": shoe.colourway,
        "brand": {"@type": "Brand", "name": shoe.brand},
        "image": [f"{base}/images/{shoe.image_name}"],
        "url": base + product_path(shoe),
        **release,
        "offers": offer,
    }


def _price_info(shoe: Product) -> dict[str, Any]:
    price = html.dollars(shoe.price)
    return {
        "currencyCode": "USD",
        "initialPrice": shoe.price,
        "finalPrice": shoe.price,
        "formattedInitialPrice": price,
        "formattedFinalPrice": price,
        "isOnSale": False,
        "discountLabel": None,
    }


def _item(shoe: Product, base: str) -> dict[str, Any]:
    image = f"{base}/images/{shoe.image_name}"
    return {
        "id": int(shoe.product_id),
        "shortDescription": _short_description(shoe),
        "merchantId": 9359,
        "brand": {"id": 1 + len(shoe.brand), "name": shoe.brand},
        "gender": "men",
        "images": {"cutOut": image, "model": None, "all": [image]},
        "priceInfo": _price_info(shoe),
        "releaseDate": shoe.release_date.isoformat() if shoe.announced else None,
        "merchandiseLabel": "Coming soon" if shoe.announced else None,
        "url": product_path(shoe),
        "type": "product",
    }


def _view(shoe: Product, base: str) -> dict[str, Any]:
    image = f"{base}/images/{shoe.image_name}"
    return {
        "designerDetails": {
            "name": shoe.brand,
            "designerColour": shoe.colourway.upper(),
            "designerStyleId": shoe.style_code,
        },
        "details": {
            "productId": int(shoe.product_id),
            "shortDescription": _short_description(shoe),
            "colors": shoe.colourway,
            "genderName": "men",
        },
        "images": {"main": [{"index": 1, "alt": shoe.title, "small": image, "large": image, "zoom": image}]},
        "priceInfo": {"default": _price_info(shoe)},
        "releaseDate": shoe.release_date.isoformat() if shoe.announced else None,
    }
