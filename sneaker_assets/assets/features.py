"""Features of all images, computed once per frozen backbone."""

from typing import Literal

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions
from sneaker_assets.assets import groups
from sneaker_assets.assets.metadata import OWNERS, code_version
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.resources import ComputeResource, LakeResource, ListingSourceResource
from sneaker_assets.settings.model import Unset, given, optional_field
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.recipes import RecipeName, find_recipe
from sneaker_assets.vision.settings import FeatureSettings, Fit, Keep, WeightsSettings


class FeatureConfig(WeightsSettings, dg.Config):
    """How images become features. Unset fields take the recipe's values."""

    recipe: RecipeName = Field(
        default="default",
        description="default: the best of those measured, trimmed to 160x384 pixels and pooled at three sizes where "
        "the weights are pretrained; article: whole feature maps of images squashed to 224x336, for the article's "
        "head.",
    )
    fit: Literal[Unset, Fit] = optional_field(FeatureSettings, "fit")
    height: int | None = optional_field(FeatureSettings, "height", "Frame height in pixels.")
    width: int | None = optional_field(FeatureSettings, "width", "Frame width in pixels.")
    keep: Literal[Unset, Keep] = optional_field(FeatureSettings, "keep")
    mirrored: bool | None = optional_field(FeatureSettings, "mirrored")
    batch_size: int = Field(default=32, gt=0, description="Images per forward pass.")

    def settings(self, weights: WeightsSource) -> FeatureSettings:
        """The settings of the features: those of the recipe with the values that are set.

        Args:
            weights: Where the backbone's weights come from.
        """
        return find_recipe(self.recipe, weights).features.with_changes(**given(self, FeatureSettings))


@dg.asset(
    partitions_def=backbone_partitions,
    ins={"scraped_images": dg.AssetIn(partition_mapping=dg.AllPartitionMapping())},
    group_name=groups.FEATURES,
    kinds={"pytorch"},
    owners=OWNERS,
    pool="gpu",
    code_version=code_version("image_features", code_versions.FEATURES),
)
def image_features(
    context: dg.AssetExecutionContext,
    config: FeatureConfig,
    scraped_images: pd.DataFrame,
    *,
    compute: ComputeResource,
    listing_source: ListingSourceResource,
    lake: LakeResource,
) -> dg.Output[UPath]:
    """Features of every image; after a re-crawl only new images are computed."""
    from sneaker_assets.vision.backbones.backbone import load_backbone
    from sneaker_assets.vision.features.extractor import open_store, update_store

    weights = compute.weights_choice(config.weights, offline=listing_source.is_demo)
    backbone = load_backbone(context.partition_key, weights, compute.weights_folder)
    here = lake.open()
    hashes = scraped_images["sha256"].dropna().unique()
    settings = config.settings(backbone.weights)
    store = open_store(here.folder("features"), backbone, settings)
    images = {sha256: here.image(sha256) for sha256 in hashes}
    new = update_store(store, backbone, images, compute.torch_device(), batch_size=config.batch_size, settings=settings)
    return dg.Output(
        store.folder,
        metadata={
            "weights": str(backbone.weights),
            "settings": settings.model_dump(),
            "images": len(images),
            "new_images": new,
        },
    )
