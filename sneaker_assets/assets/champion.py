"""The champion's similarity index, and the check that compares newly evaluated models with the champion."""

import warnings

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions
from sneaker_assets.assets import groups
from sneaker_assets.assets.metadata import OWNERS, code_version
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.resources import OPTIONAL_INPUT, LakeResource


class ChampionCheckConfig(dg.Config):
    """Threshold of the check against the champion."""

    margin: float = Field(
        default=0.05, ge=0, description="Maximum excess of the validation RMSE over the champion's, as a share of it."
    )


@dg.asset(
    group_name=groups.CHAMPION,
    kinds={"faiss"},
    owners=OWNERS,
    code_version=code_version("similarity_index", code_versions.SIMILARITY_INDEX),
)
def similarity_index(
    context: dg.AssetExecutionContext, model_leaderboard: pd.DataFrame, clean_listings: pd.DataFrame, lake: LakeResource
) -> dg.Output[UPath]:
    """Nearest-neighbour index of the clean listings by the champion's features, for the similar shoes of a price.

    If the champion is an ensemble, these are the features of the member with the highest share.
    """
    from sneaker_assets.vision.pricing.ensemble_model import load_model
    from sneaker_assets.vision.pricing.pricer import champion_index
    from sneaker_assets.vision.pricing.similarity_index import build_similarity_index, remove_other_indexes

    here = lake.open()
    champion = str(model_leaderboard.loc[model_leaderboard["champion"], "model"].iloc[0])
    model = load_model(here.resolve(champion)).members[0]
    indexes = here.folder("similarity_index", model.backbone)
    index = build_similarity_index(indexes, model, model.open_store(), clean_listings)
    missing = clean_listings["twin_group"].nunique() - len(index.shoes)
    if missing:
        context.log.warning("%d shoes are not indexed: the champion has no features of their images", missing)
    # Readers may still have the previous index open; older ones are not referenced any more.
    remove_other_indexes(indexes, [folder for folder in (index.folder, champion_index(here)) if folder is not None])
    return dg.Output(index.folder, metadata={"model": index.model, "shoes": len(index.shoes)})


with warnings.catch_warnings():
    # Partitions of asset checks are a preview feature of Dagster.
    warnings.simplefilter("ignore", dg.PreviewWarning)

    @dg.asset_check(
        asset="evaluation_metrics",
        additional_ins={"model_leaderboard": dg.AssetIn(metadata=OPTIONAL_INPUT)},
        partitions_def=backbone_partitions,
        description="The validation error does not exceed the champion's by more than a margin.",
    )
    def near_the_champion(
        evaluation_metrics: pd.DataFrame, model_leaderboard: pd.DataFrame | None, config: ChampionCheckConfig
    ) -> dg.AssetCheckResult:
        """Compare the validation RMSE of a backbone's model with that of another backbone's champion."""
        rows = evaluation_metrics.query("predictor == 'model' and split == 'validation' and group == 'all'")
        rmse, champion_rmse = float(rows["rmse"].iloc[0]), float(rows["rmse"].iloc[0])
        if model_leaderboard is not None:
            champion = model_leaderboard[model_leaderboard["champion"]].iloc[0]
            if champion["backbone"] != rows["backbone"].iloc[0]:
                champion_rmse = float(champion["validation_rmse"])
        return dg.AssetCheckResult(
            passed=rmse <= champion_rmse * (1 + config.margin),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"validation_rmse": rmse, "champion_validation_rmse": champion_rmse},
        )
