"""Observations and images of each site."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import dagster as dg
import pandas as pd

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import site_partitions
from sneaker_assets.crawl.errors import CrawlPaused, CrawlStopped
from sneaker_assets.crawl.report import MIN_SHARE
from sneaker_assets.market.observations import append_observations
from sneaker_assets.resources import LakeResource, ListingSourceResource


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
    context: dg.AssetExecutionContext, listing_source: ListingSourceResource, lake: LakeResource
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Every observed price of a site, with its time; each crawl appends to those of earlier crawls."""
    site, history = context.partition_key, lake.previous(context)
    with listing_source.open(lake.open()) as source, _without_retries():
        seen = source.observe(site)
        report = source.report(site)
    table = append_observations(history, seen)
    known = set() if history is None else set(history["product_id"])
    figure = figures.prices_by_first_seen(table[table["exclusion"].isna()])
    yield dg.Output(
        table,
        metadata={
            "source": listing_source.name,
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
            "generations": seen.drop_duplicates("product_id")["generation"].value_counts().to_dict(),
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
            "unusable_images": preview(images[~usable], ["image_url", "problem"], rows=20),
        },
    )


@contextmanager
def _without_retries() -> Iterator[None]:
    """Fail without retries where a site refuses the crawl; the next run resumes it.

    Raises:
        dagster.Failure: the crawl was stopped or paused.
    """
    try:
        yield
    except CrawlStopped as stopped:
        resume_at = {"resume_at": stopped.resume_at.isoformat()} if isinstance(stopped, CrawlPaused) else {}
        raise dg.Failure(str(stopped), metadata=resume_at, allow_retries=False) from stopped
