"""A minimal adapter of a JSON site, which the tests register to show what adding a site takes."""

from sneaker_assets.sites.base import Listing, Page, Site
from sneaker_assets.sites.json_values import dig, first_text, items
from sneaker_assets.sites.parsing import Document, make_page, parse_first
from sneaker_assets.sites.prices import prices

PAGE_FORMAT = "outlet_json"


def parse_page(body: bytes, url: str) -> Page:
    """Parse a page of the outlet's catalogue; raises PageError."""
    return parse_first("outlet", {PAGE_FORMAT: _parse_catalogue}, body, url)


def _parse_catalogue(document: Document) -> Page | None:
    listings = [
        Listing(
            site="outlet",
            product_id=first_text(dig(shoe, "id")) or "",
            url=document.link(first_text(dig(shoe, "link"))),
            title=first_text(dig(shoe, "name")) or "",
            image_url=document.link(first_text(dig(shoe, "photo"))),
            page_format=PAGE_FORMAT,
            prices=prices("USD", {"list": dig(shoe, "price")}),
        )
        for shoe in items(document.json, "shoes")
    ]
    return make_page(listings, PAGE_FORMAT, document.link(first_text(dig(document.json, "next"))) or None)


SITES = (
    Site(
        name="outlet",
        home="https://outlet.example",
        start_path="/catalogue.json",
        releases_path=None,
        parse_page=parse_page,
        page_formats={PAGE_FORMAT: ["catalogue"]},
    ),
)
