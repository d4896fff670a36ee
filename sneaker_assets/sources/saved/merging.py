"""Listings of saved pages, joined with the details of the same products on other pages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sneaker_assets.sites.base import Details, Listing, Page, merge_details

Seen = tuple[Listing, datetime]
"""A listing with the time (UTC) at which its prices were saved."""


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """A parsed page, the file that holds it, its address, and the time (UTC) at which it was saved."""

    file: Path
    url: str
    saved_at: datetime
    page: Page


def merge_pages(pages: Iterable[ParsedPage]) -> list[Seen]:
    """Listings of all pages in the order of their time, each product once per page.

    As in a crawl, the details of a product are added to its listing, here to the first one of the same day (UTC), whose
    time becomes that of the last of them. Details of a day without a listing are added to a copy of the listing
    that is nearest in time, without its prices.

    Args:
        pages: The pages of one site.
    """
    ordered = sorted(pages, key=lambda parsed: parsed.saved_at)
    listings: dict[str, list[Seen]] = {}
    details: dict[str, list[tuple[Details, datetime]]] = {}
    for parsed in ordered:
        for listing in _distinct(parsed.page):
            listings.setdefault(listing.product_id, []).append((listing, parsed.saved_at))
        for added in parsed.page.details:
            details.setdefault(added.product_id, []).append((added, parsed.saved_at))
    merged = [
        seen for product_id, found in listings.items() for seen in _with_details(found, details.get(product_id, ()))
    ]
    return sorted(merged, key=lambda seen: seen[1])


def _distinct(page: Page) -> Iterable[Listing]:
    """First listing of each product."""
    first: dict[str, Listing] = {}
    for listing in (*page.listings, *page.excluded):
        first.setdefault(listing.product_id, listing)
    return first.values()


def _with_details(listings: Sequence[Seen], details: Sequence[tuple[Details, datetime]]) -> list[Seen]:
    """Listings of a product, those that its details belong to with their prices."""
    by_day: dict[object, list[tuple[Details, datetime]]] = {}
    for added, at in details:
        by_day.setdefault(at.date(), []).append((added, at))
    merged = list(listings)
    for day, found in by_day.items():
        priced_at = [at for added, at in found if added.prices]
        place = next((i for i, (_, at) in enumerate(listings) if at.date() == day), None)
        if place is not None:
            listing, at = listings[place]
            merged[place] = (merge_details(listing, (added for added, _ in found)), max([at, *priced_at]))
        elif priced_at:
            nearest = min(listings, key=lambda seen: abs(seen[1] - priced_at[0]))[0]
            without_prices = replace(nearest, prices=())
            merged.append((merge_details(without_prices, (added for added, _ in found)), max(priced_at)))
    return merged
