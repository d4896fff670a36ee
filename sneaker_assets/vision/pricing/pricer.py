"""A price model at work: loaded once, it prices one picture after the other and says what it goes by.

How pictures are read is ``images``' and ``photos``' concern, what is done with a price the caller's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.lake import Lake, read_table
from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.features.extractor import extract
from sneaker_assets.vision.heads.conformal import MIN_PRICE
from sneaker_assets.vision.imaging.decoding import Frame, Pixels
from sneaker_assets.vision.pricing.price_model import PriceModel, same_backbone
from sneaker_assets.vision.pricing.similarity_index import SimilarityIndex, load_similarity_index, similarity_vectors


class NoChampionError(SneakerError, LookupError):
    """There is no model to price with; the message says what to do."""


@dataclass(frozen=True)
class PricedPicture:
    """What a picture's shoe is expected to sell for, US dollars: in 90 % of cases between ``low`` and ``high``.

    A price is at least ``MIN_PRICE``: a model that was shown what it cannot know may say less than nothing.
    ``similar`` holds the most similar shoes as :meth:`similarity_index.SimilarityIndex.nearest` returns them; it has no
    rows where the model has no similarity index.
    """

    price: float
    low: float
    high: float
    similar: pd.DataFrame

    @property
    def makes_sense(self) -> bool:
        """Whether the model had a price to give."""
        return self.price > MIN_PRICE


@dataclass(frozen=True)
class Pricer:
    """A model with its backbone and the shoes that it knows."""

    model: PriceModel
    backbone: Backbone
    device: torch.device
    known: SimilarityIndex | None

    @classmethod
    def load(
        cls, folder: UPath, weights_folder: Path | None, device: torch.device, index_folder: UPath | None = None
    ) -> "Pricer":
        """Load a model, its backbone and its similarity index.

        Args:
            folder: The model's folder.
            weights_folder: Folder of weight files, or None.
            device: What to compute on.
            index_folder: Folder of the similarity index, see :func:`champion_index`. An index that belongs to another
                model is ignored.

        Raises:
            NoChampionError: there is no model in the folder.
            WeightsError: the backbone weights that the model was trained with are not available.
        """
        if not (folder / "config.json").exists():
            raise NoChampionError(f"the model {folder} is no longer there: materialize price_model again")
        model = PriceModel.load(folder)
        index = load_similarity_index(index_folder) if index_folder is not None else None
        if index is not None and not index.fits(model):
            index = None
        return cls(model, same_backbone(model, weights_folder), device, index)

    @property
    def frame(self) -> Frame:
        """What pictures are to be fitted into."""
        return self.model.frame

    def price(self, pixels: Pixels) -> list[PricedPicture]:
        """Price pictures in the model's frame, uint8 [n, height, width, 3], RGB."""
        return next(self.price_all(iter([pixels])))

    def price_all(self, batches: Iterator[Pixels]) -> Iterator[list[PricedPicture]]:
        """The same batch by batch, as they come: the network is made ready once."""
        kept, interval = self.model.config["features"]["keep"], self.model.interval
        for by_view in extract(self.backbone, batches, self.device, kept, self.model.views):
            features = np.stack([by_view[view].cpu().numpy() for view in self.model.views])
            prices = np.maximum(self.model.price(features), MIN_PRICE)
            low, high = interval.bounds(prices)
            similar = (
                self.known.nearest(similarity_vectors(self.model, features))
                if self.known
                else [pd.DataFrame()] * len(prices)
            )
            yield [
                PricedPicture(*of_one)
                for of_one in zip(prices.tolist(), low.tolist(), high.tolist(), similar, strict=True)
            ]


def champion_folder(lake: Lake) -> UPath:
    """The folder of the model that prices releases.

    Raises:
        NoChampionError: none was chosen yet.
    """
    path = lake.table("model_leaderboard")
    if not path.exists():
        raise NoChampionError(
            f"the lake at {lake.root} has no champion yet: run make demo, materialize model_leaderboard, or set "
            "SNEAKER_LAKE to a lake that has one"
        )
    board = read_table(path)
    return lake.root / str(board.loc[board["champion"], "model"].iloc[0])


def champion_index(lake: Lake) -> UPath | None:
    """The folder of the champion's similarity index, or None where none has been built."""
    return lake.referenced("similarity_index")
