"""What every site adapter speaks: listings, observations, pages, and the error of a page that cannot be read.

An adapter is a pure function from a page's bytes to listings and next pages. Fetching is ``crawl``'s concern.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sneaker_assets.errors import SneakerError
from sneaker_assets.tables import LabelKind


class PageError(SneakerError, ValueError):
    """A page that should list products and could not be read; the message names adapter, url and generations tried."""


@dataclass(frozen=True, slots=True)
class Price:
    """One price on a page: ``amount`` in ``currency`` (ISO 4217), ``None`` where the page gives none.

    ``variant`` is the site's own name of what it is for, where another page says which size that is.
    """

    amount: float | None
    currency: str | None
    label_kind: LabelKind
    size: str | None = None
    raw_text: str | None = None
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One product at one site, with every price its page shows."""

    site: str
    product_id: str
    url: str
    title: str
    image_url: str
    generation: str
    brand: str | None = None
    style_code: str | None = None
    colourway: str | None = None
    retail_price: float | None = None
    release_date: datetime | None = None
    prices: tuple[Price, ...] = ()


@dataclass(frozen=True, slots=True)
class Details:
    """What one page adds to a product that another page lists: further prices, or the sizes of its variants."""

    product_id: str
    prices: tuple[Price, ...] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)


def completed(listing: Listing, details: Iterable[Details]) -> Listing:
    """The listing with what other pages add to it; the price of a variant whose size none of them gives is left out."""
    details = tuple(details)
    sizes = {variant: size for found in details for variant, size in found.sizes.items()}
    added = (
        price if price.variant is None else replace(price, size=sizes[price.variant])
        for found in details
        for price in found.prices
        if price.variant is None or price.variant in sizes
    )
    return replace(listing, prices=(*listing.prices, *added))


@dataclass(frozen=True, slots=True)
class Page:
    """What an adapter read off one page: its listings, and the addresses of the pages to read next.

    ``listed`` is how many products stand on the page, read or not; ``None`` where the page does not show that.
    ``pages`` is how many pages there are in all, by the page's own word.
    """

    listings: tuple[Listing, ...]
    generation: str
    next_urls: tuple[str, ...] = ()
    listed: int | None = None
    details: tuple[Details, ...] = ()
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Headers by which a site knows us: sent with pages of its home alone, and shown to nobody.

    ``renew`` says what to do where the site does not accept them.
    """

    headers: Mapping[str, str] = field(repr=False, compare=False)
    renew: str


@dataclass(frozen=True, slots=True)
class Site:
    """A source of listings: where it begins, which hosts its images may come from, and how its pages are read.

    ``start_path`` and ``releases_path`` are relative to ``home``; a site that announces nothing has no
    ``releases_path``. ``read_page(body, url)`` raises :class:`PageError`. ``delay`` is the least time between
    two requests that the site's terms ask for, in seconds.
    """

    name: str
    home: str
    start_path: str
    releases_path: str | None
    read_page: Callable[[bytes, str], Page]
    image_hosts: frozenset[str] = field(default_factory=frozenset)
    credentials: Credentials | None = None
    delay: float = 0.0
