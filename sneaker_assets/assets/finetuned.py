"""Fine-tuning: the upper blocks of a backbone trained together with its head, and the evaluation of the result."""

import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.metadata import OWNERS, code_version, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.lake import local_path, write_table
from sneaker_assets.resources import ComputeResource, LakeResource, TrackingResource
from sneaker_assets.vision.settings import FinetuneSettings

if TYPE_CHECKING:
    from sneaker_assets.vision.finetuning.model import FinetuneJob


class FinetuneConfig(FinetuneSettings, dg.Config):
    """How the backbone is fine-tuned; the article's two ablations are the first two fields."""

    processes: int = Field(
        default=1,
        gt=0,
        description="Number of processes (torch.distributed) that share each batch, one per GPU if there are any.",
    )
    rank_timeout: float = Field(default=120.0, gt=0, description="Seconds that the processes wait for each other.")


@dg.asset(
    partitions_def=backbone_partitions,
    group_name=groups.FINETUNING,
    kinds={"pytorch"},
    owners=OWNERS,
    pool="gpu",
    code_version=code_version("finetuned_price_model", code_versions.FINETUNING, code_versions.PRICE_MODEL),
)
def finetuned_price_model(
    context: dg.AssetExecutionContext,
    image_features: UPath,
    splits: pd.DataFrame,
    config: FinetuneConfig,
    *,
    compute: ComputeResource,
    lake: LakeResource,
    tracking: TrackingResource,
) -> dg.Output[UPath]:
    """The upper blocks of the backbone and its head, trained together; an interrupted run resumes."""
    from sneaker_assets.vision.backbones.weights_source import WeightsSource
    from sneaker_assets.vision.features.store import FeatureStore
    from sneaker_assets.vision.finetuning.model import FinetuneJob, finetune_price_model

    tracker, here, backbone = tracking.open(context), lake.open(), context.partition_key
    frozen = FeatureStore.open(image_features)
    local = local_path(here.folder("finetuning", backbone))
    scratch = local or Path(tempfile.gettempdir(), "sneaker-assets-finetuning", backbone)
    scratch.mkdir(parents=True, exist_ok=True)
    write_table(UPath(scratch / "splits.parquet"), splits)
    job = FinetuneJob(
        backbone=backbone,
        weights=WeightsSource.parse(frozen.manifest["weights"]).choice,
        weights_folder=str(compute.weights_folder) if compute.weights_folder else None,
        device=str(compute.torch_device()),
        splits=str(scratch / "splits.parquet"),
        scratch=str(scratch),
        checkpoints=str(scratch / "checkpoints"),
        settings=FinetuneSettings.part_of(config),
        rank_timeout=config.rank_timeout,
    )
    images = {sha256: here.image(sha256) for sha256 in splits["sha256"].unique()}
    launch = _launcher(context, scratch, config.processes) if config.processes > 1 else None
    model, trained = finetune_price_model(here.folder("models", backbone), frozen, splits, images, job, launch=launch)
    metrics = model.metrics()
    curve = figures.learning_curve(model.history(), int(metrics["best"]) + 1)
    shown = show_figure(here.folder("figures", "finetuned_price_model", backbone), "learning_curve", curve)
    return dg.Output(
        model.folder,
        metadata={
            "trained_now": trained,
            **metrics,
            "card": dg.MetadataValue.md((model.folder / "card.md").read_text()),
            **shown,
            **tracker.log_model(model, shown, trained=trained, settings={"finetuning": job.settings.model_dump()}),
        },
    )


def _launcher(context: dg.AssetExecutionContext, scratch: Path, processes: int) -> Callable[["FinetuneJob"], None]:
    """Returns a function that trains a job in several processes with torch's launcher, connected by Dagster Pipes."""

    def launch(job: "FinetuneJob") -> None:
        path = scratch / "job.json"
        job.write(path)
        module = "sneaker_assets.assets.finetune_worker"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        with warnings.catch_warnings():
            # The client itself uses a preview feature by default.
            warnings.simplefilter("ignore", dg.PreviewWarning)
            dg.PipesSubprocessClient().run(
                context=context.op_execution_context,
                command=[*command, "-m", module, str(path)],
                # Without it the remaining ranks wait indefinitely for one that died.
                env={"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
            )

    return launch
