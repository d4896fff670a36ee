"""The calendar agrees with what the shop shows on a given day."""

import dataclasses
from datetime import timedelta
from urllib.request import urlopen

from sneaker_assets.demo_shop.calendar import dates, picture, priced_products
from sneaker_assets.demo_shop.catalogue import SHOP_DATE
from sneaker_assets.demo_shop.server import DemoShop


def test_price_is_known_from_the_day_on_which_the_shop_shows_it() -> None:
    products = priced_products(40, 2020, 20)
    table = dates(products)
    for product, known_at, asked_at in zip(products, table["known_at"], table["asked_at"], strict=True):
        known, on_sale = known_at.date(), dataclasses.replace(product, announced=None)
        assert product.on(known) == on_sale
        if product.announced is None:
            assert known <= SHOP_DATE
        else:
            assert asked_at.date() == product.announced
            assert product.on(known - timedelta(days=1)) != on_sale
    assert table["price"].gt(0).all()
    assert table["asked_at"].notna().sum() >= 15


def test_picture_is_identical_to_the_image_that_the_shop_serves() -> None:
    products = [product for product in priced_products(3, 2020, 2) if product.site == "stockx"]
    with DemoShop(3, today=SHOP_DATE) as shop:
        for product in products:
            with urlopen(f"{shop.addresses['stockx']}/images/{product.image_name}") as answer:
                assert answer.read() == picture(product)
