"""What every site adapter speaks: listings, observations, pages, and the error of a page that cannot be read.

An adapter is a pure function from a page's bytes to listings and next pages. Fetching is ``crawl``'s concern.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sneaker_assets.tables import LabelKind


class PageError(ValueError):
    """A page that should list products and could not be read; the message names adapter, url and generations tried."""


@dataclass(frozen=True, slots=True)
class Price:
    """One price on a page: ``amount`` in ``currency`` (ISO 4217), ``None`` where the page gives none."""

    amount: float | None
    currency: str | None
    label_kind: LabelKind
    size: str | None = None
    raw_text: str | None = None


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
class Page:
    """What an adapter read off one page: its listings, and the addresses of the pages to read next.

    ``listed`` is how many products stand on the page, read or not; ``None`` where the page does not show that.
    """

    listings: tuple[Listing, ...]
    generation: str
    next_urls: tuple[str, ...] = ()
    listed: int | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A source of listings: where it begins, which hosts its images may come from, and how its pages are read.

    ``start_path`` and ``releases_path`` are relative to ``home``; a site that announces nothing has no
    ``releases_path``. ``read_page(body, url)`` raises :class:`PageError`.
    """

    name: str
    home: str
    start_path: str
    releases_path: str | None
    read_page: Callable[[bytes, str], Page]
    image_hosts: frozenset[str] = field(default_factory=frozenset)
