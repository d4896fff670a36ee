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
from sneaker_assets.resources import ComputeResource, LakeResource
from sneaker_assets.vision.settings import FinetuneSettings, Fit, Target

if TYPE_CHECKING:
    from sneaker_assets.vision.finetuning.model import FinetuneJob

DEFAULT = FinetuneSettings()


class FinetuneConfig(dg.Config):
    """How the backbone is trained further; the article's two ablations are the first two fields."""

    unfreeze_from: str = Field(
        default=DEFAULT.unfreeze_from, description="First block that is trained (features.14, layer4); empty: none."
    )
    freeze_batch_norm: bool = Field(
        default=DEFAULT.freeze_batch_norm, description="Keep the statistics of the batch norms as they were."
    )
    fit: Fit = Field(default=DEFAULT.fit, description="How a picture fills its frame.")
    height: int | None = Field(default=None, gt=0, description="Of the frame, pixels; default: the backbone's own.")
    width: int | None = Field(default=None, gt=0, description="Of the frame, pixels; default: the backbone's own.")
    copies: int = Field(
        default=DEFAULT.copies,
        ge=0,
        description="Augmented copies of each picture that go through the frozen blocks once; 0: anew each epoch.",
    )
    flip: bool = Field(default=DEFAULT.flip, description="Mirror half of the pictures.")
    rotation: float = Field(default=DEFAULT.rotation, ge=0, le=45, description="Degrees a picture is turned at most.")
    colour: float = Field(
        default=DEFAULT.colour, ge=0, lt=1, description="Share by which brightness, contrast and saturation change."
    )
    target: Target = Field(default=DEFAULT.target, description="dollars, or log: their logarithm.")
    hidden: int = Field(default=DEFAULT.hidden, gt=0, description="Width of the head.")
    dropout: float = Field(default=DEFAULT.dropout, ge=0, lt=1, description="Share of hidden units dropped.")
    epochs: int = Field(default=DEFAULT.epochs, gt=0, description="Passes over the training rows.")
    batch_size: int = Field(default=DEFAULT.batch_size, gt=0, description="Rows a step, of all processes together.")
    micro_batch: int = Field(default=DEFAULT.micro_batch, gt=0, description="Rows at once, as fit into memory.")
    learning_rate: float = Field(default=DEFAULT.learning_rate, gt=0, description="AdamW's rate for the backbone.")
    head_learning_rate: float = Field(default=DEFAULT.head_learning_rate, gt=0, description="Its rate for the head.")
    weight_decay: float = Field(default=DEFAULT.weight_decay, ge=0, description="Decoupled weight decay.")
    warm_up: float = Field(default=DEFAULT.warm_up, ge=0, lt=1, description="Share of the steps.")
    ema_decay: float = Field(default=DEFAULT.ema_decay, ge=0, lt=1, description="Of the average of the weights.")
    clip: float = Field(default=DEFAULT.clip, gt=0, description="Greatest norm of the gradients.")
    bfloat16: bool = Field(default=DEFAULT.bfloat16, description="Where the device is made for it.")
    mixed: bool = Field(
        default=DEFAULT.mixed,
        description="Mix the head with a kernel ridge on the trained network's features, by what does best on "
        "validation.",
    )
    seed: int = Field(default=DEFAULT.seed, description="Another seed is another model.")
    processes: int = Field(
        default=1, gt=0, description="Ranks that share each batch (torch.distributed), one a GPU where there are any."
    )
    patience: float = Field(default=120.0, gt=0, description="Seconds that ranks wait for each other.")


@dg.asset(
    partitions_def=backbone_partitions,
    group_name=groups.FINETUNING,
    kinds={"pytorch"},
    owners=OWNERS,
    pool="gpu",
    code_version=code_version("finetuned_price_model", code_versions.FINETUNING),
)
def finetuned_price_model(
    context: dg.AssetExecutionContext,
    image_features: UPath,
    splits: pd.DataFrame,
    config: FinetuneConfig,
    *,
    compute: ComputeResource,
    lake: LakeResource,
) -> dg.Output[UPath]:
    """The upper blocks of the backbone and its head, trained together; an interrupted run resumes."""
    from sneaker_assets.vision.features.store import FeatureStore
    from sneaker_assets.vision.finetuning.model import FinetuneJob, finetune_price_model

    here, backbone = lake.open(), context.partition_key
    frozen = FeatureStore.open(image_features)
    local = local_path(here.folder("finetuning", backbone))
    scratch = local or Path(tempfile.gettempdir(), "sneaker-assets-finetuning", backbone)
    scratch.mkdir(parents=True, exist_ok=True)
    write_table(UPath(scratch / "splits.parquet"), splits)
    job = FinetuneJob(
        backbone=backbone,
        weights="none" if str(frozen.manifest["weights"]).startswith("random") else "auto",
        weights_folder=str(compute.weights_folder) if compute.weights_folder else None,
        device=str(compute.torch_device()),
        splits=str(scratch / "splits.parquet"),
        scratch=str(scratch),
        checkpoints=str(scratch / "checkpoints"),
        settings=FinetuneSettings(**config.model_dump(exclude={"processes", "patience"})),
        patience=config.patience,
    )
    images = {sha256: here.image(sha256) for sha256 in splits["sha256"].unique()}
    launch = _launcher(context, scratch, config.processes) if config.processes > 1 else None
    model, trained = finetune_price_model(here.folder("models", backbone), frozen, splits, images, job, launch=launch)
    metrics = model.metrics()
    curve = figures.learning_curve(model.history(), int(metrics["best"]) + 1)
    return dg.Output(
        model.folder,
        metadata={
            "trained_now": trained,
            **metrics,
            "card": dg.MetadataValue.md((model.folder / "card.md").read_text()),
            **show_figure(here.folder("figures", "finetuned_price_model", backbone), "learning_curve", curve),
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
