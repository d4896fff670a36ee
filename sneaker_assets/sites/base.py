"""Types shared by all site adapters: sites, pages, listings, prices, and the error raised for an unparsable page.

An adapter is a pure function from the bytes of a page to its listings and the URLs of the next pages.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sneaker_assets.errors import SneakerError
from sneaker_assets.sites.placeholders import image_address
from sneaker_assets.sites.size_systems import stated_size_system
from sneaker_assets.tables import Condition, LabelKind, SizeSystem


class PageError(SneakerError, ValueError):
    """A page could not be parsed; the message names the adapter, the URL and the page formats that were tried."""


class NoListingError(PageError):
    """A page is intact but has no listing in any known page format, as a login page or a cart."""


@dataclass(frozen=True, slots=True)
class Price:
    """One price on a page.

    Attributes:
        amount: Price in ``currency``; None if the product has no price or it cannot be read.
        currency: ISO 4217 code; None if the page does not state it.
        label_kind: What the price means, such as last sale or lowest ask.
        size: Shoe size the price applies to; None if it applies to the product.
        raw_text: The price as written on the page.
        variant: The site's identifier of a size, for prices whose size is given by another page.
        available: Whether the product can be bought at this price; None if the page does not state it.
        problem: Why the amount cannot be read, in one line; None if it can or if there is none.
        condition: Condition of the shoe that the price buys; None if the page does not state it.
        size_system: System in which ``size`` is given; None if the page does not state it.
        observed_at: Time (UTC) of a sale that has its own; None for a price that was current when the page was read.
    """

    amount: float | None
    currency: str | None
    label_kind: LabelKind
    size: str | None = None
    raw_text: str | None = None
    variant: str | None = None
    available: bool | None = None
    problem: str | None = None
    condition: Condition | None = None
    size_system: SizeSystem | None = None
    observed_at: datetime | None = None

    def __post_init__(self) -> None:
        """Fill the system that the size itself states, such as ``EU 42``; a price without a size has none."""
        system = None if self.size is None else self.size_system or stated_size_system(self.size)
        object.__setattr__(self, "size_system", system)


@dataclass(frozen=True, slots=True)
class Listing:
    """One product on one site, with all prices that its page shows.

    ``page_format`` names the format of the page it was parsed from, ``retail_price`` is in ``retail_currency``,
    ``release_date`` is midnight UTC, and ``exclusion`` states why the product is not a shoe, None if it may be one.
    ``size_system`` is that of the sizes on the product's detail pages, for sites that state it here only.
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
    retail_currency: str | None = None
    release_date: datetime | None = None
    prices: tuple[Price, ...] = ()
    exclusion: str | None = None
    size_system: SizeSystem | None = None

    def __post_init__(self) -> None:
        """Drop the address of a placeholder picture: the product counts as one without an image."""
        object.__setattr__(self, "image_url", image_address(self.image_url))


@dataclass(frozen=True, slots=True)
class Details:
    """Additional data of a product that is listed on another page: prices, and size and size system of each variant."""

    product_id: str
    prices: tuple[Price, ...] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)
    size_systems: Mapping[str, SizeSystem] = field(default_factory=dict)


def merge_details(listing: Listing, details: Iterable[Details]) -> Listing:
    """Copy of a listing with the prices of its detail pages added.

    Prices of a variant get the size that any of the pages gives for it, and are dropped if none does. Sizes without a
    system get that of the listing.
    """
    details = tuple(details)
    sizes = {variant: size for page in details for variant, size in page.sizes.items()}
    systems = {variant: system for page in details for variant, system in page.size_systems.items()}
    added = (
        price
        if price.variant is None
        else replace(price, size=sizes[price.variant], size_system=systems.get(price.variant))
        for page in details
        for price in page.prices
        if price.variant is None or price.variant in sizes
    )
    stated = (
        replace(price, size_system=listing.size_system) if price.size and not price.size_system else price
        for price in added
    )
    return replace(listing, prices=(*listing.prices, *stated))


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
        excluded: Products parsed from the page that are not shoes, each with the reason in ``exclusion``.
    """

    listings: tuple[Listing, ...]
    page_format: str
    next_urls: tuple[str, ...] = ()
    listed: int | None = None
    details: tuple[Details, ...] = ()
    pages: int | None = None
    excluded: tuple[Listing, ...] = ()


def with_response_currency(page: Page, currency: str | None) -> Page:
    """Copy of a page whose response states a currency: amounts of another currency get none.

    Args:
        page: The parsed page.
        currency: ISO 4217 code that the response states, None if it states none.
    """
    if currency is None:
        return page

    def restated(listing: Listing) -> Listing:
        prices = tuple(
            replace(price, currency=currency if price.currency in (None, currency) else None)
            for price in listing.prices
        )
        return replace(listing, prices=prices)

    return replace(page, listings=tuple(map(restated, page.listings)), excluded=tuple(map(restated, page.excluded)))


@dataclass(frozen=True, slots=True)
class Quota:
    """Requests that an account may send in a calendar month (UTC).

    Attributes:
        limit: Number of requests at which a crawl pauses until the next month.
        setting: Name of the setting of the limit, for the message.
        used: Returns the number of requests of this month that the headers of a response state, if any.
    """

    limit: int
    setting: str
    used: Callable[[Mapping[str, str]], int | None] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secret headers that authenticate requests to a site's own host; they are excluded from ``repr``.

    ``renew`` tells the user what to do when the site rejects them; ``quota`` limits the requests sent with them, if the
    account has a limit.
    """

    headers: Mapping[str, str] = field(repr=False, compare=False)
    renew: str
    quota: Quota | None = None


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
        hosts: Hosts whose pages the adapter parses besides that of ``home`` and its subdomains, such as that of a
            search service.
        credentials: Authentication headers, if the site needs any.
        delay: Minimum number of seconds between two requests according to the site's terms.
        page_formats: Every ``Page.page_format`` that ``parse_page`` can return, each with the names of the page layouts
            that have this format. The tests demand a fixture per layout.
        response_currency: Returns the currency that the headers of a response state for its amounts, if any.
    """

    name: str
    home: str
    start_path: str
    releases_path: str | None
    parse_page: Callable[[bytes, str], Page]
    image_hosts: frozenset[str] = field(default_factory=frozenset)
    hosts: frozenset[str] = field(default_factory=frozenset)
    credentials: Credentials | None = None
    delay: float = 0.0
    page_formats: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False)
    response_currency: Callable[[Mapping[str, str]], str | None] | None = field(default=None, compare=False)
