"""Export of price models as ONNX and as a ``torch.export`` program."""

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions
from sneaker_assets.assets import groups
from sneaker_assets.assets.chosen_model import ChosenModel, chosen_model
from sneaker_assets.assets.metadata import OWNERS, code_version
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.resources import ComputeResource, LakeResource


class ExportConfig(dg.Config):
    """Which model is exported, and how it is verified."""

    model: ChosenModel = ""
    n_images: int = Field(default=64, gt=0, description="Number of test images that the export is verified on.")


@dg.asset(
    partitions_def=backbone_partitions,
    group_name=groups.EXPORT,
    kinds={"onnx", "pytorch"},
    owners=OWNERS,
    code_version=code_version("exported_model", code_versions.EXPORT),
)
def exported_model(
    price_model: UPath,
    splits: pd.DataFrame,
    config: ExportConfig,
    compute: ComputeResource,
    lake: LakeResource,
) -> dg.Output[UPath]:
    """The price model as one file, from pixels to US dollars; published only if it reproduces the prices of images.

    Raises:
        dagster.Failure: The configured model does not exist.
    """
    from sneaker_assets.vision.pricing.ensemble_model import load_model
    from sneaker_assets.vision.pricing.export import describe_inputs, export
    from sneaker_assets.vision.pricing.member_features import load_backbones

    here = lake.open()
    model = load_model(chosen_model(here, config.model, price_model))
    hashes = splits.loc[splits["split"] == "test", "sha256"].drop_duplicates().head(config.n_images)
    folder = here.folder("exported", model.backbone, export_name(model.folder.name))
    backbones = load_backbones(model, compute.weights_folder)
    exported = export(folder, model, backbones, [here.image(sha256) for sha256 in hashes])
    return dg.Output(
        exported.folder,
        metadata={
            "images": len(hashes),
            **{
                str(one["name"]): f"uint8 [n, {one['height']}, {one['width']}, 3], RGB, {one['fit']}"
                for one in describe_inputs(model)
            },
            **{f"max_relative_difference_{name}": value for name, value in exported.differences.items()},
        },
    )


def export_name(model: str) -> str:
    """Name of the folder that a model is exported to.

    Args:
        model: Name of the model's folder.
    """
    return "-".join([model, *code_versions.changed(code_version=code_versions.EXPORT).values()])
