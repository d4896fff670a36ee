"""What is watched: the sites' pages of coming shoes."""

import dagster as dg

from sneaker_assets.assets.partitions import release_partitions
from sneaker_assets.automation.jobs import price_release
from sneaker_assets.market.releases import announced_content
from sneaker_assets.resources import LakeResource, ListingSourceResource
from sneaker_assets.sites import SITES


@dg.sensor(job=price_release, minimum_interval_seconds=60)
def new_releases(
    context: dg.SensorEvaluationContext, listing_source: ListingSourceResource, lake: LakeResource
) -> dg.SensorResult | dg.SkipReason:
    """Add a partition for each announced shoe and price it; an announcement that changed is priced again.

    A run key holds the announcement's content, so that nothing is priced twice. A site that cannot be read fails the
    tick, and its releases are found at the next.
    """
    with listing_source.open(lake.open()) as source:
        announced = {
            release: content
            for site in sorted(SITES)
            for release, content in announced_content(source.releases(site)).items()
        }
    if not announced:
        return dg.SkipReason("no release is announced")
    known = set(context.instance.get_dynamic_partitions(release_partitions.name or ""))
    new = [release for release in announced if release not in known]
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(partition_key=release, run_key=f"{release}:{content}")
            for release, content in announced.items()
        ],
        dynamic_partitions_requests=[release_partitions.build_add_request(new)] if new else [],
    )


SENSORS = (new_releases,)
