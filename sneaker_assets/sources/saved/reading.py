"""Parsing of the saved pages of one site by its adapter."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.errors import one_line
from sneaker_assets.sites.base import NoListingError, Page, PageError, Site, with_response_currency
from sneaker_assets.sources.saved.merging import ParsedPage
from sneaker_assets.sources.saved.pages import SavedPage, Survey
from sneaker_assets.sources.saved.records import UnusableError

NO_LISTING = "pages without a listing"
_MAX_HOSTS = 10

logger = logging.getLogger(__name__)


@dataclass
class Reading:
    """Result of reading the saved pages of one site.

    Attributes:
        site: Name of the site.
        pages: Its pages that were parsed, in the order of the files.
        unreadable: Number of its pages that could not be parsed.
        skipped: Number of its responses without a listing, by reason.
    """

    site: str
    pages: list[ParsedPage] = field(default_factory=list)
    unreadable: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def report(self, survey: Survey) -> CrawlReport:
        """Totals, with those of the folder that concern no site.

        Args:
            survey: What the folder holds.
        """
        yields = [len(parsed.page.listings) + len(parsed.page.excluded) for parsed in self.pages]
        lists = [parsed.page.listed or n for parsed, n in zip(self.pages, yields, strict=True)]
        return CrawlReport(
            pages=len(self.pages),
            failed=len(survey.problems.broken),
            unreadable=self.unreadable,
            listed=sum(lists),
            yielded=sum(yields),
            min_share=min((n / listed for n, listed in zip(yields, lists, strict=True) if listed), default=1.0),
            broken=tuple(survey.problems.broken),
            skipped={**(self.skipped + survey.skipped.get(self.site, Counter())), **_elsewhere(survey)},
        )


def read_site(site: Site, pages: Iterable[SavedPage]) -> Reading:
    """Parse the saved pages of a site.

    Args:
        site: The site.
        pages: Saved pages of any site.

    Returns:
        The pages that could be parsed, and counts of the others.
    """
    reading = Reading(site.name)
    for saved in pages:
        if saved.site != site.name:
            continue
        try:
            page = _parse(site, saved)
        except UnusableError as error:
            reading.skipped[str(error)] += 1
        except NoListingError:
            reading.skipped[NO_LISTING] += 1
        except PageError as error:
            reading.unreadable += 1
            logger.warning("page in %s could not be parsed: %s", saved.file, one_line(error, 500))
        else:
            reading.pages.append(ParsedPage(saved.file, saved.url, saved.saved_at, page))
    return reading


def _parse(site: Site, saved: SavedPage) -> Page:
    page = site.parse_page(saved.read(), saved.url)
    if site.response_currency is None:
        return page
    return with_response_currency(page, site.response_currency(saved.headers))


def _elsewhere(survey: Survey) -> Mapping[str, int]:
    """Pages of unknown sites by host, and files without a known site."""
    counts = {f"pages of {host}": n for host, n in survey.hosts.most_common(_MAX_HOSTS)}
    rest = survey.hosts.total() - sum(counts.values())
    others = {"pages of other hosts": rest, "files of unknown sites": len(survey.unplaced)}
    return counts | {name: n for name, n in others.items() if n}
