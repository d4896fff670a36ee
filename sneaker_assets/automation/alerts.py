"""Alert sensors: a failed run, and a predicted price far above retail.

Both sensors store alerts, and one of them delivers those that wait. They run by default: without a webhook, nothing
leaves the machine.

Dagster: https://docs.dagster.io/guides/automate/sensors/run-status-sensors
"""

import hashlib

import dagster as dg
import pandas as pd

from sneaker_assets.alerts import Alert, Outbox
from sneaker_assets.automation.jobs import PARTITION_TAG
from sneaker_assets.errors import one_line
from sneaker_assets.lake import Lake, read_table
from sneaker_assets.resources import LakeResource
from sneaker_assets.settings.automation import AutomationSettings

_PAGE = 200
"""Maximum number of predictions examined per tick."""

_MAX_ERROR_LENGTH = 500


def alert_sensors(settings: AutomationSettings) -> list[dg.SensorDefinition]:
    """The sensors ``run_failures`` and ``alerts``."""

    @dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
    def run_failures(context: dg.RunFailureSensorContext, lake: LakeResource) -> None:
        """Store an alert for each failed run."""
        Outbox(lake.open()).add(failure_alert(context))

    @dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
    def alerts(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
        """Store an alert for each new prediction above the premium, and deliver all waiting alerts.

        A webhook that is down is named and retried at the next tick.
        """
        outbox = Outbox(lake.open())
        after, new = _new_predictions(context)
        for release in new:
            alert = premium_alert(outbox.lake, release, settings.alert_premium)
            if alert:
                outbox.add(alert)
        delivery = outbox.deliver(settings.webhook.get_secret_value() if settings.webhook else "")
        if delivery.problem:
            context.log.warning("%s; retried at the next tick", delivery)
        return dg.SensorResult(skip_reason=str(delivery), cursor=after)

    return [run_failures, alerts]


def failure_alert(context: dg.RunFailureSensorContext) -> Alert:
    """The alert of a failed run."""
    run = context.dagster_run
    partition = run.tags.get(PARTITION_TAG)
    errors = [
        f"{event.step_key}: {(failure.error.cause or failure.error).message.strip()}"
        for event in context.get_step_failure_events()
        if (failure := event.step_failure_data).error
    ]
    error = (errors[0] if errors else context.failure_event.message or "unknown error")[:_MAX_ERROR_LENGTH]
    name = f"{run.job_name} {partition}" if partition else run.job_name
    return Alert(
        id=f"run_failure-{run.run_id}",
        kind="run_failure",
        text=f"{name} failed: {one_line(error)}",
        details={"run_id": run.run_id, "job": run.job_name, "partition": partition, "error": error},
    )


def premium_alert(lake: Lake, release: str, threshold: float) -> Alert | None:
    """The alert for a release predicted to sell above retail, or None.

    Args:
        lake: Lake with the prediction.
        release: Partition key of the release.
        threshold: Minimum premium of the predicted price over the retail price; 0.5 is 50 %.
    """
    path = lake.table("release_predictions", release)
    if not path.exists():
        return None
    shoe = read_table(path).iloc[0]
    if pd.isna(shoe["retail_price"]):
        return None
    predicted, retail = float(shoe["predicted_price"]), float(shoe["retail_price"])
    premium = predicted / retail - 1
    if premium < threshold:
        return None
    digest = hashlib.sha256(f"{predicted:.2f}|{retail:.2f}".encode()).hexdigest()[:8]
    return Alert(
        id=f"premium-{release}-{digest}",
        kind="premium",
        text=f"{shoe['title']} is expected to sell for ${predicted:,.0f}, {premium:.0%} above retail (${retail:,.0f})",
        details={
            "release": release,
            "title": str(shoe["title"]),
            "predicted_price": predicted,
            "retail_price": retail,
            "premium": premium,
        },
    )


def _new_predictions(context: dg.SensorEvaluationContext) -> tuple[str | None, list[str]]:
    """The new cursor, and the releases that were priced since the last tick.

    Without a valid cursor, all releases: repeated alerts are recognised by their id.
    """
    cursor = context.cursor or ""
    after = int(cursor) if cursor.isdecimal() else None
    wanted = dg.AssetRecordsFilter(dg.AssetKey("release_predictions"), after_storage_id=after)
    records = context.instance.fetch_materializations(wanted, limit=_PAGE, ascending=True).records
    seen = records[-1].storage_id if records else after
    return None if seen is None else str(seen), list(
        dict.fromkeys(record.partition_key for record in records if record.partition_key)
    )
