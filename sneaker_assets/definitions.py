"""The one Definitions object, assembled from the folders beside it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from sneaker_assets.assets import (
    backtest,
    data_set,
    evaluation,
    explanation,
    export,
    features,
    finetuned,
    gan,
    listings,
    price_model,
    prices,
    releases,
    scrapes,
    tuning,
)
from sneaker_assets.automation.jobs import JOBS
from sneaker_assets.automation.schedules import SCHEDULES
from sneaker_assets.automation.sensors import SENSORS
from sneaker_assets.resources import ComputeResource, LakeIOManager, LakeResource, ListingSourceResource

MODULES = [
    scrapes,
    prices,
    listings,
    data_set,
    features,
    price_model,
    tuning,
    finetuned,
    evaluation,
    explanation,
    export,
    gan,
    releases,
    backtest,
]


def build_definitions(resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The whole project; ``resource_overrides`` replaces resources by name, for tests and other deployments."""
    lake = LakeResource.configure_at_launch()
    resources: dict[str, Any] = {
        "lake": lake,
        "io_manager": LakeIOManager(lake=lake),
        "listing_source": ListingSourceResource.configure_at_launch(),
        "compute": ComputeResource.configure_at_launch(),
    }
    return dg.Definitions(
        assets=dg.load_assets_from_modules(MODULES),
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources=resources | dict(resource_overrides or {}),
        executor=dg.in_process_executor,
    )


defs = build_definitions()
