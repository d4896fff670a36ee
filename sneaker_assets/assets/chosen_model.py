"""The model that a run is about: the one that its configuration names, or that of ``price_model``."""

from typing import Annotated

import dagster as dg
from pydantic import Field
from upath import UPath

from sneaker_assets.lake import Lake

ChosenModel = Annotated[
    str,
    Field(
        description="Folder of the model relative to the lake, such as a fine-tuned one or an ensemble. Default: that "
        "of price_model."
    ),
]


def chosen_model(lake: Lake, chosen: ChosenModel, default: UPath) -> UPath:
    """Folder of the model that a run's configuration names.

    Args:
        lake: The lake.
        chosen: Folder relative to the lake, or empty.
        default: The folder for an empty name.

    Raises:
        dagster.Failure: There is no such model.
    """
    folder = lake.resolve(chosen) if chosen else default
    if not (folder / "config.json").exists():
        raise dg.Failure(
            f"there is no model {folder}: use a path from model_leaderboard, or leave `model` empty for the output of "
            "price_model",
            allow_retries=False,
        )
    return folder
