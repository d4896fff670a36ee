"""Structured data as shops write it: offers, variants, related products, and JSON that is not strict."""

import json
from typing import Any

import pytest

from sneaker_assets.sites import farfetch
from sneaker_assets.sites.base import Listing, PageError, Price

URL = "https://www.farfetch.com/shopping/men/example-item-18000001.aspx"
SHOE = {"@context": "https://schema.org", "@type": "Product", "name": "Runner", "sku": "18000001"}


def offer(price: Any, availability: str | None = None, **more: Any) -> dict[str, Any]:
    stated = {} if availability is None else {"availability": f"https://schema.org/{availability}"}
    return {"@type": "Offer", "price": price, "priceCurrency": "EUR", **stated, **more}


def page(*scripts: str, kind: str = "application/ld+json", head: str = "") -> bytes:
    tags = "".join(f'<script type="{kind}">{script}</script>' for script in scripts)
    return f"<html><head>{head}</head><body>{tags}</body></html>".encode()


def parse(*nodes: Any, url: str = URL) -> tuple[Listing, ...]:
    return farfetch.parse_page(page(*(json.dumps(node) for node in nodes)), url).listings


def price_of(offers: Any) -> Price | None:
    listing = parse(SHOE | {"offers": offers})[0]
    return next((price for price in listing.prices if price.size is None), None)


@pytest.mark.parametrize(
    "offers",
    [
        [offer("620.00"), offer("495.00")],
        {"@type": "AggregateOffer", "offers": [offer("495.00"), offer("620.00")]},
        {"@type": "AggregateOffer", "lowPrice": "400", "priceCurrency": "EUR", "offers": [offer("495.00")]},
        {"@type": "AggregateOffer", "lowPrice": 495, "highPrice": 620, "priceCurrency": "EUR"},
        {"@type": "Offer", "priceSpecification": {"price": "495,00", "priceCurrency": "EUR"}},
        {
            "@type": "Offer",
            "priceCurrency": "EUR",
            "priceSpecification": [
                {"@type": "UnitPriceSpecification", "priceType": "https://schema.org/ListPrice", "price": 620},
                {"@type": "UnitPriceSpecification", "price": 495},
                {"@type": "UnitPriceSpecification", "price": 300, "validForMemberTier": {"name": "Gold"}},
                {"@type": "DeliveryChargeSpecification", "price": 5},
            ],
        },
        [offer("300.00", "OutOfStock"), offer("495.00", "InStock"), offer("620.00", "LimitedAvailability")],
        [offer("n/a"), offer("9999.00"), offer({"@value": "495.00"})],
    ],
)
def test_price_is_the_lowest_at_which_the_product_can_be_bought(offers: Any) -> None:
    found = price_of(offers)
    assert found is not None
    assert (found.amount, found.currency) == (495.0, "EUR")


@pytest.mark.parametrize("term", ["OutOfStock", "SoldOut", "Discontinued"])
def test_price_of_what_cannot_be_bought_is_kept_as_unavailable(term: str) -> None:
    found = price_of([offer("620.00", term), offer("495.00", term)])
    assert found is not None
    assert (found.amount, found.available) == (495.0, False)


def test_unreadable_price_is_kept_beside_a_readable_one() -> None:
    prices = parse(SHOE | {"offers": [offer("from 300"), offer("495.00")]})[0].prices
    assert [(price.amount, price.raw_text) for price in prices] == [(495.0, "495.00"), (None, "from 300")]
    assert prices[1].problem == "'from 300' is not one amount"


def variant(size: str, price: str, availability: str = "InStock") -> dict[str, Any]:
    return SHOE | {"sku": f"18000001-{size}", "size": size, "offers": offer(price, availability)}


VARIANTS = [variant("41", "300", "OutOfStock"), variant("42", "495"), variant("43", "510")]
GROUP = {"@type": "ProductGroup", "@id": "#group", "name": "Runner", "productGroupID": "18000001", "url": URL}


@pytest.mark.parametrize(
    "nodes",
    [
        [GROUP | {"hasVariant": VARIANTS}],
        [GROUP, *(one | {"isVariantOf": {"@id": "#group"}} for one in VARIANTS)],
        [*(one | {"inProductGroupWithID": "18000001"} for one in VARIANTS)],
        [
            {
                "@graph": [
                    GROUP | {"hasVariant": [{"@id": f"#{i}"} for i in range(3)]},
                    *(one | {"@id": f"#{i}", "isVariantOf": {"@id": "#group"}} for i, one in enumerate(VARIANTS)),
                ]
            }
        ],
    ],
    ids=["nested", "referring to the group", "naming the group", "graph of references"],
)
def test_group_of_variants_is_one_product_with_a_price_per_size(nodes: list[Any]) -> None:
    (listing,) = parse(*nodes)
    assert [(price.size, price.amount, price.available) for price in listing.prices] == [
        (None, 495.0, True),
        ("41", 300.0, False),
        ("42", 495.0, True),
        ("43", 510.0, True),
    ]


BELT = {"@type": "Product", "name": "Belt", "sku": "5", "offers": offer("20")}


@pytest.mark.parametrize(
    "nodes",
    [
        [SHOE | {"isRelatedTo": [BELT], "isSimilarTo": BELT, "offers": offer("495")}],
        [SHOE | {"review": {"@type": "Review", "itemReviewed": {"@type": "Product", "name": "Runner"}}}],
        [SHOE | {"url": URL}, BELT | {"url": "https://www.farfetch.com/shopping/belt-item-5000005.aspx"}],
        [{"@type": "WebPage", "mainEntity": SHOE, "mentions": BELT}],
        [SHOE, {"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "item": BELT}]}],
        [SHOE, {"@type": "BreadcrumbList", "itemListElement": [{"@type": "ListItem", "name": "Men", "item": "/men"}]}],
        [SHOE | {"@type": "https://schema.org/Product"}],
        [SHOE | {"@type": ["Thing", "http://schema.org/Product"]}],
        [{"@type": "schema:Product", "schema:name": "Runner", "schema:sku": "18000001"}],
    ],
)
def test_only_products_of_the_page_itself_are_listed(nodes: list[Any]) -> None:
    assert [(listing.title, listing.product_id) for listing in parse(*nodes)] == [("Runner", "18000001")]


def test_list_of_links_gives_a_listing_per_element() -> None:
    elements = [{"@type": "ListItem", "name": "Runner", "url": f"/x-item-1800000{i}.aspx"} for i in range(2)]
    listings = parse({"@type": "ItemList", "itemListElement": elements}, url="https://www.farfetch.com/shoes")
    assert [listing.product_id for listing in listings] == ["18000000", "18000001"]


SOURCE = json.dumps(SHOE | {"name": "Salt &amp; Pepper", "offers": offer("495.00")})


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (SOURCE, "application/ld+json; charset=utf-8"),
        (SOURCE, "Application/LD+JSON"),
        (SOURCE + ";", "application/ld+json"),
        (SOURCE[:-1] + ",}", "application/ld+json"),
        (SOURCE.replace("Salt", "\tSalt\n"), "application/ld+json"),
        (f"<!--\n{SOURCE}\n-->", "application/ld+json"),
        (f"//<![CDATA[\n{SOURCE}\n//]]>", "application/ld+json"),
        (SOURCE.replace('"', "&quot;"), "application/ld+json"),
    ],
    ids=["charset", "case", "semicolon", "comma", "control characters", "comment", "cdata", "entities"],
)
def test_lenient_json_is_parsed_and_entities_are_decoded(source: str, kind: str) -> None:
    (listing,) = farfetch.parse_page(page(source, kind=kind), URL).listings
    assert listing.title == "Salt & Pepper"
    assert [price.amount for price in listing.prices] == [495.0]


def test_script_that_is_no_json_is_named_with_its_place() -> None:
    with pytest.raises(PageError, match=r"script 1 \(application/ld\+json\) is not JSON: .*line 2 column 10"):
        farfetch.parse_page(page('{"name":\n"Runner" 1}'), URL)


@pytest.mark.parametrize(
    ("category", "exclusion"),
    [
        ("Apparel & Accessories > Shoes > Sneakers", None),
        ("Beauty > Lipstick", "not footwear: Beauty > Lipstick"),
        ({"@type": "CategoryCode", "name": "Handbags"}, "not footwear: Handbags"),
    ],
)
def test_category_decides_whether_a_product_is_a_shoe(category: Any, exclusion: str | None) -> None:
    parsed = farfetch.parse_page(page(json.dumps(SHOE | {"category": category})), URL)
    assert [listing.exclusion for listing in (*parsed.listings, *parsed.excluded)] == [exclusion]


META = (
    '<meta property="og:title" content="Runner"><meta property="product:price:amount" content="1.190,00">'
    '<meta property="product:price:currency" content="EUR"><meta property="product:availability" content="oos">'
)
MICRODATA = (
    '<div itemscope itemtype="https://schema.org/Product"><span itemprop="name">Runner</span>'
    '<span itemprop="price">1.190,00</span><meta itemprop="priceCurrency" content="EUR">'
    '<link itemprop="availability" href="https://schema.org/OutOfStock"></div>'
)


@pytest.mark.parametrize("markup", [META, MICRODATA], ids=["meta", "microdata"])
def test_markup_follows_the_same_rules(markup: str) -> None:
    (listing,) = farfetch.parse_page(page(head=markup), URL).listings
    assert [(price.amount, price.currency, price.available) for price in listing.prices] == [(1190.0, "EUR", False)]
