"""How a step judges its tables before it hands them on: an error stops it and leaves the old file, a warning is told.

Dagster runs a blocking check after the IO manager has written, so the checks are made in the step itself, of the table
that it is about to hand on. What is measured is the domain's concern, what is tolerable the assets' settings.

Dagster: https://docs.dagster.io/guides/test/asset-checks
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg
import pandas as pd

Events = Iterator[dg.AssetCheckResult | dg.Output[pd.DataFrame]]


def blocking_check(asset: str, name: str, description: str) -> dg.AssetCheckSpec:
    """A check that stops the step where it fails."""
    return dg.AssetCheckSpec(name, asset=asset, description=description, blocking=True)


def warning_check(asset: str, name: str, description: str) -> dg.AssetCheckSpec:
    """A check that only warns where it fails."""
    return dg.AssetCheckSpec(name, asset=asset, description=description)


def check_result(spec: dg.AssetCheckSpec, passed: bool, *, warn: bool = False, **metadata: Any) -> dg.AssetCheckResult:
    """What came of a check; ``warn`` softens the failure of one that stops."""
    severity = dg.AssetCheckSeverity.ERROR if spec.blocking and not warn else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        asset_key=spec.asset_key, check_name=spec.name, passed=bool(passed), severity=severity, metadata=metadata
    )


def skipped(spec: dg.AssetCheckSpec, why: str) -> dg.AssetCheckResult:
    """A check that could not be made: told as a warning, since it was not passed either."""
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"skipped: {why}",
        metadata={"skipped": why},
    )


def publish(outputs: Iterable[dg.Output[pd.DataFrame]], results: Sequence[dg.AssetCheckResult]) -> Events:
    """Report what came of the checks, then hand the tables on.

    Raises:
        dagster.Failure: a check failed that stops; nothing is handed on, and the old tables stay.
    """
    yield from results
    failed = [r for r in results if not r.passed and r.severity == dg.AssetCheckSeverity.ERROR]
    if failed:
        found = "; ".join(f"{r.check_name} {_plain(r)}" for r in failed)
        raise dg.Failure(
            f"the new table was not written, and the old one stays, since a check failed: {found}. "
            "If this is as it should be, loosen the setting of that check and materialize again",
            metadata={r.check_name or "check": str(_plain(r)) for r in failed},
            allow_retries=False,
        )
    yield from outputs


def _plain(result: dg.AssetCheckResult) -> dict[str, object]:
    return {
        name: value.value for name, value in result.metadata.items() if not isinstance(value, dg.MarkdownMetadataValue)
    }
