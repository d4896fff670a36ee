"""Source of listings in pages that somebody saved from a browser."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from threading import RLock
from urllib.parse import urlsplit

import pandas as pd

from sneaker_assets.crawl.images import ImageRecord, images_table, stored_images
from sneaker_assets.crawl.listed_images import download_listed_images
from sneaker_assets.crawl.observations import observations
from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sites import SITES, get_site
from sneaker_assets.sites.base import Site
from sneaker_assets.sources.base import SourceError
from sneaker_assets.sources.saved.folder import companion_folder
from sneaker_assets.sources.saved.merging import ParsedPage, Seen, merge_pages
from sneaker_assets.sources.saved.pages import SavedPage, Survey, saved_pages
from sneaker_assets.sources.saved.pictures import stored_companions, stored_responses
from sneaker_assets.sources.saved.reading import Reading, read_site

NOT_SAVED = "not in the saved pages; set SNEAKER_FETCH_IMAGES=1 to fetch it"
_MAX_NAMED = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SavedSource:
    """Listings in a folder of saved pages: HTML, MHTML, JSON, HAR and WARC files, compressed with gzip or not.

    The address of a page decides which site's adapter parses it. Each page is an observation at the time at which it
    was saved, so that reading a folder again gives the same rows.

    Attributes:
        lake: Lake in which images are stored.
        folder: Folder of the files, or a single file.
        sites_by_name: The sites whose pages are read.
        fetch_images: How images that are not in the saved pages are fetched; None if they are not.
        today: Date after which a shoe counts as not released yet; by default the current one (UTC).
    """

    lake: Lake
    folder: Path
    sites_by_name: Mapping[str, Site] = field(default_factory=lambda: SITES)
    fetch_images: FetchSettings | None = None
    today: date | None = None
    _readings: dict[str, tuple[Reading, Survey]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _surveys: list[Survey] = field(default_factory=list, init=False, repr=False, compare=False)
    _lock: RLock = field(default_factory=RLock, init=False, repr=False, compare=False)

    def sites(self) -> Sequence[str]:
        """Names of the sites that the folder has pages of; no page is parsed unless it does not state its address.

        Raises:
            SourceError: There is no such folder.
        """
        return sorted(self._survey().pages)

    def release_sites(self) -> Sequence[str]:
        """Names of the sites that the folder has pages of, any of which may announce a release.

        Raises:
            SourceError: There is no such folder.
        """
        return self.sites()

    def observe(self, site: str) -> pd.DataFrame:
        """Prices on the saved pages of a site, apart from its page of upcoming releases.

        Returns:
            ``tables.Observations``, each at the time at which its page was saved.

        Raises:
            SourceError: There is no such folder, or it has no listing of the site.
        """
        reading, survey = self._reading(site)
        if not any(parsed.page.listings or parsed.page.excluded for parsed in reading.pages):
            raise SourceError(_no_listing(site, self.folder, reading, survey))
        return _table(merge_pages(page for page in reading.pages if not self._announces(site, page)))

    def releases(self, site: str) -> pd.DataFrame:
        """Products that the saved pages of a site announce: the latest observation of each.

        They are those on its page of upcoming releases, and those on any page, with a release date after ``today``. On
        the page of upcoming releases the date may be missing.

        Returns:
            ``tables.Observations``.

        Raises:
            SourceError: There is no such folder, or it has no page of the site.
        """
        reading, _ = self._reading(site)
        today = self.today or datetime.now(UTC).date()
        announced = [page for page in reading.pages if self._announces(site, page)]
        others = [page for page in reading.pages if not self._announces(site, page)]
        seen = [
            *(found for found in merge_pages(announced) if _is_coming(found, today, undated=True)),
            *(found for found in merge_pages(others) if _is_coming(found, today, undated=False)),
        ]
        latest = {listing.product_id: (listing, at) for listing, at in sorted(seen, key=lambda found: found[1])}
        return _table(latest.values())

    def report(self, site: str) -> CrawlReport:
        """Totals of the saved pages of a site.

        Raises:
            KeyError: The source has not read the site.
        """
        reading, survey = self._readings[site]
        return reading.report(survey)

    def images(self, site: str, image_urls: Iterable[str], known: pd.DataFrame | None = None) -> pd.DataFrame:
        """Store the pictures in the saved pages, and fetch the others if the source may.

        Args:
            site: Name of the site.
            image_urls: Image URLs returned by :meth:`observe`.
            known: Table of an earlier call, whose pictures are not read again.

        Returns:
            ``tables.Images``.

        Raises:
            SourceError: There is no such folder.
            ContactMissing: Images have to be fetched, and the settings have no contact.
            CrawlRunning: Images are fetched, and another crawl or download of the site is running.
        """
        wanted = list(dict.fromkeys(url for url in image_urls if url.strip()))
        records = self._stored(site, wanted, known)
        missing = _without(wanted, records)
        logger.info("%s: %d of %d pictures are in the saved pages", site, len(wanted) - len(missing), len(wanted))
        if self.fetch_images is None:
            return images_table(records.get(url, ImageRecord(site, url, problem=NOT_SAVED)) for url in wanted)
        fetched = download_listed_images(missing, site, self.lake, self.fetch_images, known)
        lacking = set(missing)
        found = images_table(records[url] for url in wanted if url not in lacking)
        both = pd.concat([found, fetched], ignore_index=True).set_index("image_url", drop=False)
        return both.reindex(wanted).reset_index(drop=True)

    def _stored(self, site: str, wanted: Sequence[str], known: pd.DataFrame | None) -> dict[str, ImageRecord]:
        """Records of the pictures that are in the lake, in saved responses, or beside saved pages."""
        max_bytes = (self.fetch_images or FetchSettings()).max_image_bytes
        records = stored_images(known, self.lake, site)
        if missing := _without(wanted, records):
            records |= stored_responses(self.folder, missing, self.lake, site, max_bytes)
        if missing := _without(wanted, records):
            pages = read_site(get_site(site, self.sites_by_name), self._with_companions()).pages
            records |= stored_companions(pages, set(missing), self.lake, site, max_bytes)
        return records

    def _reading(self, site: str) -> tuple[Reading, Survey]:
        """Pages of a site, read once, and what else the folder has.

        Raises:
            SourceError: There is no such folder, or it has no page of the site.
        """
        with self._lock:
            if site not in self._readings:
                self._readings[site] = self._read(site)
            return self._readings[site]

    def _read(self, site: str) -> tuple[Reading, Survey]:
        survey = Survey()
        pages = saved_pages(self.folder, self.sites_by_name, survey)
        if site not in self.sites_by_name:
            _exhaust(pages)
        reading = Reading(site) if site not in self.sites_by_name else read_site(self.sites_by_name[site], pages)
        self._surveys[:] = [survey]
        for line in (*survey.problems.broken, *survey.unplaced):
            logger.warning("%s", line)
        if site not in survey.pages:
            raise SourceError(_lacks(site, self.folder, survey))
        _log(reading.report(survey), site)
        return reading, survey

    def _survey(self) -> Survey:
        with self._lock:
            if not self._surveys:
                survey = Survey()
                _exhaust(saved_pages(self.folder, self.sites_by_name, survey))
                self._surveys.append(survey)
            return self._surveys[0]

    def _with_companions(self) -> Iterator[SavedPage]:
        pages = saved_pages(self.folder, self.sites_by_name, Survey())
        return (page for page in pages if companion_folder(page.file).is_dir())

    def _announces(self, site: str, parsed: ParsedPage) -> bool:
        """Whether a page is the site's page of upcoming releases, in any language."""
        path = self.sites_by_name[site].releases_path
        return path is not None and urlsplit(parsed.url).path.rstrip("/").endswith(urlsplit(path).path.rstrip("/"))


def _table(seen: Iterable[Seen]) -> pd.DataFrame:
    return observations(seen).drop_duplicates(ignore_index=True)


def _is_coming(seen: Seen, today: date, *, undated: bool) -> bool:
    released = seen[0].release_date
    return undated if released is None else released.date() > today


def _without(wanted: Sequence[str], records: Mapping[str, ImageRecord]) -> list[str]:
    """Wanted addresses without a usable picture."""
    return [url for url in wanted if url not in records or records[url].problem is not None]


def _exhaust(pages: Iterator[SavedPage]) -> None:
    for _ in pages:
        pass


def _log(report: CrawlReport, site: str) -> None:
    """One line about the pages of a site."""
    skipped = ", ".join(f"{n:,} {reason}" for reason, n in report.skipped.items())
    logger.info(
        "%s saved pages: %d parsed, %d unreadable, %d listings%s",
        site,
        report.pages,
        report.unreadable,
        report.yielded,
        f"; skipped: {skipped}" if skipped else "",
    )


def _lacks(site: str, folder: Path, survey: Survey) -> str:
    if survey.pages:
        found = ", ".join(f"{name} ({n:,})" for name, n in sorted(survey.pages.items()))
        return f"no page of {site} is saved in {folder}; it has pages of: {found}"
    return f"no page of a known site is saved in {folder}{_why(survey)}"


def _no_listing(site: str, folder: Path, reading: Reading, survey: Survey) -> str:
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in reading.report(survey).skipped.items())
    unreadable = f"{reading.unreadable:,} pages that cannot be parsed" if reading.unreadable else ""
    found = ", ".join(filter(None, (unreadable, reasons))) or "empty listing pages"
    return (
        f"the pages of {site} in {folder} have no listing: {found}. Save listing or product pages with their scripts, "
        "which MHTML files of Chrome and the defaults of SingleFile leave out: as HAR, WARC or 'Webpage, Complete'"
    )


def _why(survey: Survey) -> str:
    """What a folder without a page of a known site has instead."""
    hosts = ", ".join(f"{host} ({n:,})" for host, n in survey.hosts.most_common(_MAX_NAMED))
    parts = [
        f"; hosts of its pages: {hosts}" if hosts else "",
        f"; {survey.problems.broken[0]}" if survey.problems.broken else "",
        f"; {survey.unplaced[0]}" if survey.unplaced else "",
    ]
    return "".join(parts) or ": save listing or product pages as HAR, WARC, MHTML or HTML there"
