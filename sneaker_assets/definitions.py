"""The Definitions object that Dagster loads: all assets, checks, jobs, schedules, sensors and resources."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from sneaker_assets import assets
from sneaker_assets.automation.alerts import alert_sensors
from sneaker_assets.automation.conditions import condition_sensor, with_conditions
from sneaker_assets.automation.jobs import JOBS
from sneaker_assets.automation.schedules import recrawl_schedules
from sneaker_assets.automation.sensors import release_sensor
from sneaker_assets.resources import (
    ComputeResource,
    LakeIOManager,
    LakeResource,
    ListingSourceResource,
    TrackingResource,
)
from sneaker_assets.settings.automation import AutomationSettings
from sneaker_assets.settings.environment import load_settings


def build_definitions(
    resource_overrides: Mapping[str, Any] | None = None, settings: AutomationSettings | None = None
) -> dg.Definitions:
    """Build the definitions, for tests and other deployments as well.

    Args:
        resource_overrides: Resources that replace those of the same name.
        settings: Settings of schedules, conditions and sensors; those of the environment by default.
    """
    settings = settings or load_settings().automation
    lake = LakeResource.configure_at_launch()
    resources: dict[str, Any] = {
        "lake": lake,
        "io_manager": LakeIOManager(lake=lake),
        "listing_source": ListingSourceResource.configure_at_launch(),
        "compute": ComputeResource.configure_at_launch(),
        "tracking": TrackingResource(),
    }
    return dg.Definitions(
        assets=with_conditions(dg.load_assets_from_package_module(assets), settings),
        asset_checks=dg.load_asset_checks_from_package_module(assets),
        jobs=JOBS,
        schedules=recrawl_schedules(settings),
        sensors=[release_sensor(settings), condition_sensor(settings), *alert_sensors(settings)],
        resources=resources | dict(resource_overrides or {}),
        executor=dg.in_process_executor,
    )


defs = build_definitions()
