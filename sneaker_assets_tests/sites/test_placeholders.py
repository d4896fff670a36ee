from pathlib import Path

import pytest

from sneaker_assets.crawl.observations import listing_from_json, observations, to_json
from sneaker_assets.lake import Lake
from sneaker_assets.sites.base import Listing
from sneaker_assets.sites.placeholders import image_address, is_placeholder_address
from sneaker_assets.sources.archive import ArchiveSource
from sneaker_assets_tests.builders import NOON


@pytest.mark.parametrize(
    "url",
    [
        "https://stockx-assets.imgix.net/media/New-Product-Placeholder-Default.jpg?fit=fill&bg=FFFFFF&w=700&h=500",
        "https://images.stockx.com/media/Product-Placeholder-Default.jpg",
        "//cdn.shopify.com/s/assets/no-image-2048-5e88c1b20e087fb7bbe9a3771824e743_2048x.gif",
        "https://cdn.shopify.com/shopifycloud/shopify/assets/no-image-100-2a702f30_small.gif",
        "https://cdn.shopify.com/s/files/1/0001/files/Image_Coming_Soon_600x.png?v=1700000000",
        "https://cdn.shopify.com/s/files/1/0001/files/ImageComingSoon.png",
        "https://shop.test/COMING-SOON.jpg",
        "https://shop.test/comingsoon_700x700.jpg",
        "https://shop.test/photo-coming-soon-air-max.png",
        "https://shop.test/media/catalog/product/placeholder/default/image.jpg",
        "https://shop.test/NoImage.png",
        "https://shop.test/no_photo_available.svg",
        "https://shop.test/IMAGE_NOT_AVAILABLE.JPG",
        "https://shop.test/woocommerce-placeholder-300x300.png",
        "https://shop.test/placeholder%20image.webp",
        "https://shop.test/placeholder2x.png",
        "https://shop.test/default_product_image.jpg",
        "https://shop.test/_next/image?url=%2Fimages%2Fplaceholder.png&w=640",
        "https://via.placeholder.com/300",
        "https://placehold.co/600x400",
        "http://[malformed/placeholder.png",
        "default-product.png",
    ],
)
def test_placeholder_addresses_are_recognized(url: str) -> None:
    assert is_placeholder_address(url)
    assert image_address(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://images.stockx.com/images/Air-Jordan-1-Retro-High-Dior-Product.jpg?fit=fill&bg=FFFFFF",
        "https://images.stockx.com/360/Nike-Dunk-Low/Images/Nike-Dunk-Low/Lv2/img01.jpg",
        "https://cdn-images.farfetch-contents.com/15/93/12/45/15931245_29273938_1000.jpg",
        "https://shop.test/nike-dunk-low-coming-soon-2025.jpg",
        "https://shop.test/nike-dunk?defaultImage=brand/no_image",
        "https://shop.test/products/1234/default.jpg",
        "https://shop.test/new-balance-990-default-1.jpg",
        "https://shop.test/no-vacancy-inn-new-balance-650.jpg",
        "https://shop.test/images/1.jpg",
        "farfetch_15931245.jpg",
    ],
)
def test_addresses_of_photos_are_kept(url: str) -> None:
    assert image_address(url) == url


def test_an_archive_row_with_a_placeholder_has_no_image(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "listings.csv").write_text(
        "sale_price,image_name\n100,stockx_dunk.jpg\n110,stockx_product-placeholder-default.jpg\n"
    )
    seen = ArchiveSource(lake, tmp_path).observe("stockx")
    assert seen["image_url"].tolist() == ["stockx_dunk.jpg", ""]


def test_a_listing_with_a_placeholder_has_no_image() -> None:
    listing = Listing("stockx", "dunk", "https://stockx.test/dunk", "Dunk", "https://shop.test/no-image.png", "html")
    assert listing.image_url == ""
    assert observations([(listing, NOON)])["image_url"].tolist() == [""]
    earlier = to_json(listing).replace('"image_url": ""', '"image_url": "https://shop.test/no-image.png"')
    assert listing_from_json(earlier).image_url == ""
