"""Saved pages with their sites, and counts of everything else that a folder of saved pages holds."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sneaker_assets.errors import one_line
from sneaker_assets.sites.base import Site
from sneaker_assets.sites.parsing import MAX_BYTES, host_of
from sneaker_assets.sources.saved.attribution import Attribution
from sneaker_assets.sources.saved.folder import Problems, read_folder
from sneaker_assets.sources.saved.records import Record, Skipped, UnusableError

_PAGE_TYPES = frozenset(
    {
        "",
        "x-unknown",  # as Chrome states in HAR files
        "text/html",
        "application/xhtml+xml",
        "application/json",
        "text/json",
        "application/ld+json",
        "application/graphql-response+json",
        "application/xml",
        "text/xml",
        "application/atom+xml",
    }
)
"""Media types that adapters can parse; pictures, scripts and style sheets are no pages."""


@dataclass(frozen=True, slots=True)
class SavedPage:
    """A saved page of a known site.

    Attributes:
        site: Name of the site.
        url: Address of the page.
        saved_at: Time (UTC) at which it was saved.
        file: File that holds it.
        headers: Headers of the response, empty if they were not saved.
        read: Returns the body, until the next page is requested; raises :class:`UnusableError`.
    """

    site: str
    url: str
    saved_at: datetime
    file: Path
    headers: Mapping[str, str]
    read: Callable[[], bytes]


@dataclass
class Survey:
    """What a folder of saved pages holds.

    Attributes:
        pages: Number of pages by site.
        hosts: Number of pages of unknown sites by host.
        skipped: Number of responses by site and reason.
        unplaced: One line per file whose site is unknown.
        problems: Files that cannot be read to their end.
    """

    pages: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    unplaced: list[str] = field(default_factory=list)
    problems: Problems = field(default_factory=Problems)


def saved_pages(folder: Path, sites: Mapping[str, Site], survey: Survey) -> Iterator[SavedPage]:
    """Saved pages of known sites, in the order of the files.

    Args:
        folder: Folder of saved pages, or a single file.
        sites: Sites by name.
        survey: Receives the counts.

    Yields:
        Each page; only one body is in memory at a time.

    Raises:
        SourceError: There is no such folder.
    """
    attribution = Attribution(sites, folder)
    for file, record in read_folder(folder, survey.problems):
        site = attribution.site_of(record.url) if record.url else None
        if isinstance(record, Skipped):
            if site is not None:
                survey.skipped[site][record.reason] += 1
        elif not record.url:
            yield from _without_address(file, record, attribution, survey)
        else:
            yield from _with_address(file, record, site, survey)


def _with_address(file: Path, record: Record, site: str | None, survey: Survey) -> Iterator[SavedPage]:
    try:
        content = record.content()
    except UnusableError as error:
        if site is not None:
            survey.skipped[site][str(error)] += 1
        return
    if content.media_type not in _PAGE_TYPES:
        return
    if site is None:
        if host := host_of(record.url):  # an address such as data: or blob: has none
            survey.hosts[host] += 1
        return
    survey.pages[site] += 1
    yield SavedPage(site, record.url, record.saved_at, file, content.headers, lambda: content.read(MAX_BYTES))


def _without_address(file: Path, record: Record, attribution: Attribution, survey: Survey) -> Iterator[SavedPage]:
    body = record.content().read(MAX_BYTES)
    try:
        site, url = attribution.locate(file, body)
    except UnusableError as error:
        survey.unplaced.append(f"{file.name}: {one_line(error)}")
        return
    survey.pages[site] += 1
    yield SavedPage(site, url, record.saved_at, file, {}, lambda: body)
