"""``sneaker-assets``: bring every asset up to date on the instance of DAGSTER_HOME, and print a summary.

The result is that of materializing everything in Dagster's UI, which shows the runs and assets afterwards, except that
what is up to date is not materialized again.
"""

from sneaker_assets.cli.pipeline.command import main
from sneaker_assets.cli.pipeline.running import Outcome, run_stage
from sneaker_assets.cli.pipeline.stages import Stage, StageError

__all__ = ["Outcome", "Stage", "StageError", "main", "run_stage"]
