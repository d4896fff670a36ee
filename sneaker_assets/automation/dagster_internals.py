"""Everything that this project imports from Dagster's private modules.

A new version of Dagster may move these without notice; ``test_dagster_internals`` says which one, and what it is for.
"""

from dagster._core.definitions.run_request import InstigatorType
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._utils.schedules import get_latest_completed_cron_tick

__all__ = [
    "NOT_FINISHED_STATUSES",
    "PURPOSES",
    "InstigatorType",
    "get_latest_completed_cron_tick",
]

PURPOSES = {
    "dagster._core.definitions.run_request.InstigatorType": "to ask for the state of schedules, not of sensors",
    "dagster._core.storage.dagster_run.NOT_FINISHED_STATUSES": "to find crawls that are queued or running",
    "dagster._utils.schedules.get_latest_completed_cron_tick": "to compute when a site's crawl was due last",
}
"""Dotted name to what it is used for."""
