"""Observations and images of each site."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import dagster as dg
import pandas as pd
from pydantic import Field

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import site_partitions
from sneaker_assets.crawl.errors import CrawlPaused, CrawlStopped
from sneaker_assets.crawl.report import MIN_SHARE
from sneaker_assets.market.observations import append_observations, unreadable_share
from sneaker_assets.resources import LakeResource, ListingSourceResource


class CrawlConfig(dg.Config):
    """Threshold at which a crawl fails."""

    max_unreadable: float = Field(
        default=0.02, ge=0, le=1, description="Maximum share of written prices of a site that cannot be read."
    )


@dg.asset(
    partitions_def=site_partitions,
    group_name=groups.SCRAPES,
    kinds={"python", "parquet"},
    owners=OWNERS,
    pool="crawl",
    metadata=column_schema("raw_scrapes"),
    code_version=code_version("raw_scrapes", code_versions.CRAWL),
    check_specs=[
        dg.AssetCheckSpec(
            "pages_yield_what_they_list",
            asset="raw_scrapes",
            description=f"Every page was parsed and yielded at least {MIN_SHARE:.0%} of the products it lists.",
        )
    ],
)
def raw_scrapes(
    context: dg.AssetExecutionContext, config: CrawlConfig, listing_source: ListingSourceResource, lake: LakeResource
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Every observed price of a site, with its time; each crawl appends to those of earlier crawls.

    Raises:
        dagster.Failure: The crawl was stopped or paused, or too many written prices cannot be read.
    """
    site, history = context.partition_key, lake.previous(context)
    with listing_source.open(lake.open()) as source, _without_retries():
        seen = source.observe(site)
        report = source.report(site)
    _check_readable(seen, config.max_unreadable)
    table = append_observations(history, seen)
    known = set() if history is None else set(history["product_id"])
    figure = figures.prices_by_first_seen(table[table["exclusion"].isna()])
    yield dg.Output(
        table,
        metadata={
            "source": listing_source.site_sources()[site],
            "products": seen["product_id"].nunique(),
            "new_products": seen.loc[~seen["product_id"].isin(known), "product_id"].nunique(),
            "prices_missing": int(seen["amount"].isna().sum()),
            "prices_unreadable": seen["problem"].value_counts().head(20).to_dict(),
            "prices_unavailable": int(seen["available"].eq(False).sum()),
            "products_excluded": seen.drop_duplicates("product_id")["exclusion"].value_counts().head(50).to_dict(),
            "products_without_image": len(
                set(seen.loc[seen["exclusion"].isna(), "product_id"])
                - set(table["product_id"][table["image_url"] != ""])
            ),
            "page_formats": seen.drop_duplicates("product_id")["generation"].value_counts().to_dict(),
            "label_kinds": seen["label_kind"].value_counts().to_dict(),
            "crawl": asdict(report),
            **show_figure(lake.open().folder("figures", "raw_scrapes"), f"{site}_prices_by_first_seen", figure),
            "preview": preview(seen, ["product_id", "title", "amount", "currency", "label_kind", "observed_at"]),
        },
    )
    yield dg.AssetCheckResult(
        check_name="pages_yield_what_they_list",
        passed=report.complete,
        metadata={
            "min_share": report.min_share,
            "listed": report.listed,
            "yielded": report.yielded,
            "pages_failed": report.failed,
            "pages_unreadable": report.unreadable,
        },
    )


@dg.asset(
    partitions_def=site_partitions,
    group_name=groups.SCRAPES,
    kinds={"python", "parquet"},
    owners=OWNERS,
    pool="crawl",
    metadata=column_schema("scraped_images"),
    code_version=code_version("scraped_images", code_versions.IMAGES),
)
def scraped_images(
    context: dg.AssetExecutionContext,
    raw_scrapes: pd.DataFrame,
    listing_source: ListingSourceResource,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """Every image URL and its outcome; the files are stored in the lake under the sha256 of their bytes."""
    known = lake.previous(context)
    with listing_source.open(lake.open()) as source, _without_retries():
        images = source.images(
            context.partition_key, raw_scrapes.loc[raw_scrapes["exclusion"].isna(), "image_url"].unique(), known
        )
    usable = images["problem"].isna()
    fetched = images[usable] if known is None else images[usable & ~images["image_url"].isin(known["image_url"])]
    if not usable.all():
        context.log.warning("%d of %d images are unusable", (~usable).sum(), len(images))
    return dg.Output(
        images,
        metadata={
            "images": int(usable.sum()),
            "new_images": len(fetched),
            "distinct_images": images["sha256"].nunique(),
            "megabytes": round(float(images["n_bytes"].sum()) / 1e6, 1),
            "unusable": int((~usable).sum()),
            "problems": images["problem"].value_counts().head(20).to_dict(),
            "unusable_images": preview(images[~usable], ["image_url", "problem"], rows=20),
        },
    )


def _check_readable(seen: pd.DataFrame, max_unreadable: float) -> None:
    """Check that few written prices of a crawl cannot be read.

    Raises:
        dagster.Failure: The share of unreadable prices is above the maximum; the message shows examples.
    """
    share = unreadable_share(seen)
    if share <= max_unreadable:
        return
    rows = seen[seen["problem"].notna()]
    reasons = rows["problem"].value_counts()
    raise dg.Failure(
        f"{share:.1%} of the written prices cannot be read, more than {max_unreadable:.0%}: "
        f"{'; '.join(reasons.index[:3])}. Correct them, or raise max_unreadable to accept products without a price",
        metadata={
            "share_unreadable": share,
            "prices_unreadable": reasons.head(20).to_dict(),
            "examples": preview(rows, ["product_id", "raw_text", "problem"], rows=20),
        },
        allow_retries=False,
    )


@contextmanager
def _without_retries() -> Iterator[None]:
    """Fail without retries where a site refuses the crawl; the next run resumes it.

    Raises:
        dagster.Failure: The crawl was stopped or paused.
    """
    try:
        yield
    except CrawlStopped as stopped:
        resume_at = {"resume_at": stopped.resume_at.isoformat()} if isinstance(stopped, CrawlPaused) else {}
        raise dg.Failure(str(stopped), metadata=resume_at, allow_retries=False) from stopped
