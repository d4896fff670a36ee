"""Which products are footwear, by what the source itself calls them."""

from collections.abc import Iterator

import pytest

from sneaker_assets.sites import shopify, taxonomy
from sneaker_assets.sites.taxonomy import classify, exclusion


@pytest.mark.parametrize(
    "label",
    [
        "Sneakers", "SHOES", "Men's Footwear", "Apparel & Accessories > Shoes", "Mens/Boots", "Flip Flops", "High-Tops",
        "Chaussures", "Baskets", "Turnschuhe", "Zapatillas", "Tênis", "Scarpe da ginnastica", "Damesschoenen", "Buty",
        "Ayakkab\u0131", "Кроссовки", "スニーカー", "运动鞋", "신발", "Shoes & Accessories", "187",
    ],
)  # fmt: skip
def test_footwear_is_recognised_in_several_languages(label: str) -> None:
    assert classify(label) == "footwear"


@pytest.mark.parametrize(
    "label",
    [
        "Gift Card", "Insurance", "Caps", "T-Shirts", "streetwear", "Shoe Care", "Shoelaces", "Shoes > Accessories",
        "Boot Socks", "Sneaker Cleaner", "trading-cards", "Handschuhe", "Schuhpflege", "靴下", "Футболки", "양말",
        "Bucket Hat", "Gift Basket",
    ],
)  # fmt: skip
def test_other_products_are_recognised(label: str) -> None:
    assert classify(label) == "other"


@pytest.mark.parametrize(
    ("types", "tags", "title", "excluded"),
    [
        (["Sneakers"], ["cap"], "Runner", False),
        (["Lifestyle"], ["new", "mens shoes"], "Runner", False),
        (["Lifestyle"], ["new"], "Runner", True),
        ([""], ["shoes"], "Runner", False),
        ([], ["hoodie"], "Box Logo", True),
        ([], ["sale"], "Runner", False),
        ([], [], "Gift Card", True),
        ([None], [], "Shipping Protection", True),
        ([], [], "Example Low Denim", False),
        ([], [], "Box Logo Tee", True),
        (["streetwear", "sneakers"], [], "Bucket Hat", True),
    ],
)
def test_type_decides_before_tags_and_tags_before_the_title(
    types: list[str | None], tags: list[str], title: str, *, excluded: bool
) -> None:
    assert (exclusion(types, tags=tags, title=title) is not None) == excluded


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SNEAKER_FOOTWEAR_CATEGORIES", "Lifestyle, Herren-Läufer")
    taxonomy._declared.cache_clear()
    yield
    taxonomy._declared.cache_clear()


@pytest.mark.usefixtures("declared")
def test_declared_category_is_footwear() -> None:
    assert exclusion(["lifestyle"]) is None
    assert exclusion(["T-Shirts"], tags=["herren läufer"]) is None
    assert exclusion(["T-Shirts"]) == "not footwear: T-Shirts"


def test_page_without_shoes_is_a_page_with_excluded_products() -> None:
    body = b'{"products": [{"id": 1, "title": "Cap", "handle": "c", "product_type": "Caps", "variants": []}]}'
    page = shopify.parse_page("shop.example", "USD", body, "https://shop.example/products.json")
    assert (page.listings, page.listed) == ((), 1)
    assert [(listing.title, listing.exclusion) for listing in page.excluded] == [("Cap", "not footwear: Caps")]
