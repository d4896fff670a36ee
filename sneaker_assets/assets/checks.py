"""Asset checks that run inside a step, before its tables are written: an error keeps the old table, a warning does not.

Dagster runs blocking checks only after the IO manager has written the output, which would be too late.

Dagster: https://docs.dagster.io/guides/test/asset-checks
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg
import pandas as pd

Events = Iterator[dg.AssetCheckResult | dg.Output[pd.DataFrame]]


def blocking_check(asset: str, name: str, description: str) -> dg.AssetCheckSpec:
    """Specification of a check whose failure fails the step.

    Args:
        asset: Name of the checked asset.
        name: Name of the check.
        description: What is checked, as displayed in the UI.
    """
    return dg.AssetCheckSpec(name, asset=asset, description=description, blocking=True)


def warning_check(asset: str, name: str, description: str) -> dg.AssetCheckSpec:
    """Specification of a check whose failure is a warning and does not fail the step.

    Args:
        asset: Name of the checked asset.
        name: Name of the check.
        description: What is checked, as displayed in the UI.
    """
    return dg.AssetCheckSpec(name, asset=asset, description=description)


def check_result(
    spec: dg.AssetCheckSpec, passed: bool, *, severity: dg.AssetCheckSeverity | None = None, **metadata: Any
) -> dg.AssetCheckResult:
    """The result of a check.

    Args:
        spec: The check.
        passed: Whether it passed.
        severity: Severity of a failure; by default error for a blocking check and warning for others.
        metadata: The measured values by name.
    """
    if severity is None:
        severity = dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        asset_key=spec.asset_key, check_name=spec.name, passed=bool(passed), severity=severity, metadata=metadata
    )


def skipped(spec: dg.AssetCheckSpec, why: str) -> dg.AssetCheckResult:
    """The result of a check that could not be evaluated: a failure with severity warning.

    Args:
        spec: The check.
        why: The reason, displayed with the result.
    """
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"skipped: {why}",
        metadata={"skipped": why},
    )


def publish(outputs: Iterable[dg.Output[pd.DataFrame]], results: Sequence[dg.AssetCheckResult]) -> Events:
    """Yield the check results, then the outputs.

    Args:
        outputs: The tables of the step.
        results: The results of all its checks.

    Raises:
        dagster.Failure: A blocking check failed; no output is yielded, so the old tables stay.
    """
    yield from results
    failed = [r for r in results if not r.passed and r.severity == dg.AssetCheckSeverity.ERROR]
    if failed:
        found = "; ".join(f"{r.check_name} {_plain(r)}" for r in failed)
        raise dg.Failure(
            f"the new table was not written and the old one is kept, since a check failed: {found}. "
            "If the change is expected, relax the threshold of that check and materialize again",
            metadata={r.check_name or "check": str(_plain(r)) for r in failed},
            allow_retries=False,
        )
    yield from outputs


def _plain(result: dg.AssetCheckResult) -> dict[str, object]:
    return {
        name: value.value for name, value in result.metadata.items() if not isinstance(value, dg.MarkdownMetadataValue)
    }
