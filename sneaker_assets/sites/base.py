"""Types shared by all site adapters: sites, pages, listings, prices, and the error raised for an unparsable page.

An adapter is a pure function from the bytes of a page to its listings and the URLs of the next pages.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sneaker_assets.errors import SneakerError
from sneaker_assets.sites.placeholders import image_address
from sneaker_assets.tables import LabelKind


class PageError(SneakerError, ValueError):
    """A page could not be parsed; the message names the adapter, the URL and the page formats that were tried."""


@dataclass(frozen=True, slots=True)
class Price:
    """One price on a page.

    Attributes:
        amount: Price in ``currency``; None if the product has no price.
        currency: ISO 4217 code; None if the page does not state it.
        label_kind: What the price means, such as last sale or lowest ask.
        size: Shoe size the price applies to; None if it applies to the product.
        raw_text: The price as written on the page.
        variant: The site's identifier of a size, for prices whose size is given by another page.
    """

    amount: float | None
    currency: str | None
    label_kind: LabelKind
    size: str | None = None
    raw_text: str | None = None
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One product on one site, with all prices that its page shows.

    ``page_format`` names the format of the page it was parsed from, ``retail_price`` is in the currency of the
    prices, and ``release_date`` is midnight UTC.
    """

    site: str
    product_id: str
    url: str
    title: str
    image_url: str
    page_format: str
    brand: str | None = None
    style_code: str | None = None
    colourway: str | None = None
    retail_price: float | None = None
    release_date: datetime | None = None
    prices: tuple[Price, ...] = ()

    def __post_init__(self) -> None:
        """Drop the address of a placeholder picture: the product counts as one without an image."""
        object.__setattr__(self, "image_url", image_address(self.image_url))


@dataclass(frozen=True, slots=True)
class Details:
    """Additional data of a product that is listed on another page: prices, and the size of each variant."""

    product_id: str
    prices: tuple[Price, ...] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)


def merge_details(listing: Listing, details: Iterable[Details]) -> Listing:
    """Copy of a listing with the prices of its detail pages added.

    Prices of a variant get the size that any of the pages gives for it, and are dropped if none does.
    """
    details = tuple(details)
    sizes = {variant: size for page in details for variant, size in page.sizes.items()}
    added = (
        price if price.variant is None else replace(price, size=sizes[price.variant])
        for page in details
        for price in page.prices
        if price.variant is None or price.variant in sizes
    )
    return replace(listing, prices=(*listing.prices, *added))


@dataclass(frozen=True, slots=True)
class Page:
    """Result of parsing one page.

    Attributes:
        listings: Products parsed from the page.
        page_format: Name of the format that the page has.
        next_urls: Absolute URLs of the pages to crawl next.
        listed: Number of products on the page, parsed or not; None if unknown.
        details: Additional data of products that other pages list.
        pages: Total number of pages according to the page; None if unknown.
    """

    listings: tuple[Listing, ...]
    page_format: str
    next_urls: tuple[str, ...] = ()
    listed: int | None = None
    details: tuple[Details, ...] = ()
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secret headers that authenticate requests to a site's own host; they are excluded from ``repr``.

    ``renew`` tells the user what to do when the site rejects them.
    """

    headers: Mapping[str, str] = field(repr=False, compare=False)
    renew: str


@dataclass(frozen=True, slots=True)
class Site:
    """Definition of a site: where a crawl starts, how pages are parsed, and what the site asks of its clients.

    Attributes:
        name: Name of the site; also its partition key.
        home: Scheme and host.
        start_path: Path of the first listing page, relative to ``home``.
        releases_path: Path of the page of upcoming releases; None if the site has no such page.
        parse_page: Parses the body of a page, given its URL; raises :class:`PageError`.
        image_hosts: Hosts that may serve images besides ``home``.
        credentials: Authentication headers, if the site needs any.
        delay: Minimum number of seconds between two requests according to the site's terms.
        page_formats: Every ``Page.page_format`` that ``parse_page`` can return, each with the names of the page layouts
            that have this format. The tests demand a fixture per layout.
    """

    name: str
    home: str
    start_path: str
    releases_path: str | None
    parse_page: Callable[[bytes, str], Page]
    image_hosts: frozenset[str] = field(default_factory=frozenset)
    credentials: Credentials | None = None
    delay: float = 0.0
    page_formats: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False)
