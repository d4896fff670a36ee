"""A price model ready for use: prices pictures and finds the known shoes most similar to them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.lake import Lake, read_table
from sneaker_assets.torch_utils.device import choose_device
from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.heads.conformal import MIN_PRICE
from sneaker_assets.vision.imaging.decoding import Frame, Pixels, UnreadableImageError, read_image
from sneaker_assets.vision.imaging.photos import Picture, read_photo
from sneaker_assets.vision.pricing.ensemble_model import Model, load_model, weighted_mean
from sneaker_assets.vision.pricing.member_features import FramedPixels, MemberFeatures, frames_of, load_backbones
from sneaker_assets.vision.pricing.similarity_index import (
    SimilarityIndex,
    load_similarity_index,
    similarity_vectors,
)
from sneaker_assets.vision.types import Features

BATCH = 32
"""Pictures per forward pass."""


class NoChampionError(SneakerError, LookupError):
    """There is no model to price with; the message says what to do."""


@dataclass(frozen=True)
class PricedPicture:
    """Predicted resale price of the shoe in a picture, with a 90 % prediction interval.

    Attributes:
        price: US dollars, at least 1.
        low: Lower end of the interval, US dollars.
        high: Upper end of the interval, US dollars.
        similar: The most similar known shoes, as :meth:`SimilarityIndex.nearest` returns them; no rows where the model
            has no similarity index.
        is_plausible: Whether the prediction is above the floor before it is clipped to the range of the training
            prices; pictures unlike the training data may fall below it.
    """

    price: float
    low: float
    high: float
    similar: pd.DataFrame
    is_plausible: bool = True


@dataclass(frozen=True)
class Pricer:
    """A price model or an ensemble with its backbones and its similarity index.

    Attributes:
        model: The model.
        backbones: The backbone that each member of the model was trained on.
        device: Where to compute.
        index: The known shoes, by the features of the member with the highest share; None where no index has been
            built.
    """

    model: Model
    backbones: tuple[Backbone, ...]
    device: torch.device
    index: SimilarityIndex | None

    @classmethod
    def load(
        cls, folder: UPath, weights_folder: Path | None, device: torch.device, index_folder: UPath | None = None
    ) -> "Pricer":
        """Load a model with its backbones and its similarity index.

        Args:
            folder: The model's folder.
            weights_folder: Folder of weight files, for a model that was trained with one.
            device: Where to compute.
            index_folder: Folder of the similarity index, see :func:`champion_index`. An index that belongs to another
                model is ignored.

        Raises:
            NoChampionError: There is no model in the folder.
            ModelError: The model is damaged, or an ensemble does not fit its members.
            WeightsError: The weights that the model was trained with are not available.
        """
        if not (folder / "config.json").exists():
            raise NoChampionError(f"the model {folder} no longer exists: materialize price_model again")
        model = load_model(folder)
        index = load_similarity_index(index_folder) if index_folder is not None else None
        if index is not None and not index.belongs_to(model.members[0]):
            index = None
        return cls(model, load_backbones(model, weights_folder), device, index)

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """The distinct frames that pictures are fitted into, that of the member with the highest share first."""
        return frames_of(self.model)

    def price(self, picture: Picture) -> PricedPicture:
        """Price one picture.

        Args:
            picture: Path of an image file, its content, or pixels uint8 [height, width, 3] in RGB.

        Returns:
            Its price in US dollars, with interval and similar shoes.

        Raises:
            UnreadableImageError: The picture cannot be decoded, or is blank, too large or too small.
        """
        return self.price_many([picture])[0]

    def price_many(self, pictures: Iterable[Picture]) -> list[PricedPicture]:
        """Price several pictures.

        Args:
            pictures: Each as :meth:`price` takes it.

        Returns:
            One result per picture, in order.

        Raises:
            UnreadableImageError: A picture cannot be decoded, or is blank, too large or too small.
        """
        framed, priced = self._read_named(pictures), list[PricedPicture]()
        while batch := list(islice(framed, BATCH)):
            priced.extend(self.price_pixels(*map(np.stack, zip(*batch, strict=True))))
        return priced

    def read(self, picture: Picture) -> FramedPixels:
        """Decode a picture into each of :attr:`frames`.

        Args:
            picture: As :meth:`price` takes it.

        Returns:
            One uint8 [height, width, 3] per frame, RGB.

        Raises:
            UnreadableImageError: The picture cannot be decoded, or is blank, too large or too small; the message
                continues a sentence that begins with the picture's name.
        """
        return tuple(read_photo(picture, frame) for frame in self.frames)

    def read_known(self, images: Sequence[UPath]) -> FramedPixels:
        """Decode images of the lake into each of :attr:`frames`.

        Args:
            images: Their paths, at least one.

        Returns:
            One uint8 [n, height, width, 3] per frame, RGB.

        Raises:
            UnreadableImageError: An image is missing or cannot be decoded.
        """
        return tuple(np.stack([read_image(path, frame) for path in images]) for frame in self.frames)

    def price_pixels(self, *pixels: Pixels) -> list[PricedPicture]:
        """Price a batch of pictures that have been fitted into the model's frames.

        Args:
            *pixels: One uint8 [n, height, width, 3] for each of :attr:`frames`, RGB.

        Returns:
            One result per picture, in order.
        """
        features = self._features(pixels)
        prices = np.maximum(self._predict(features), MIN_PRICE)
        low, high = self.model.interval.bounds(prices)
        plausible = self._predict(features, clip=False) > MIN_PRICE
        fields = (prices.tolist(), low.tolist(), high.tolist(), self._similar(features[0]), plausible.tolist())
        return [PricedPicture(*values) for values in zip(*fields, strict=True)]

    def _predict(self, features: Sequence[Features], *, clip: bool = True) -> np.ndarray:
        """Prices float64 [n] in US dollars, of the features of each member."""
        own = [member.price(each, clip=clip) for member, each in zip(self.model.members, features, strict=True)]
        return weighted_mean(self.model, own)

    @cached_property
    def _features(self) -> MemberFeatures:
        return MemberFeatures(self.model, self.backbones, self.device)

    def _similar(self, features: Features) -> list[pd.DataFrame]:
        if self.index is None:
            return [pd.DataFrame()] * features.shape[1]
        return self.index.nearest(similarity_vectors(self.model.members[0], features))

    def _read_named(self, pictures: Iterable[Picture]) -> Iterator[FramedPixels]:
        for number, picture in enumerate(pictures, start=1):
            try:
                yield self.read(picture)
            except UnreadableImageError as error:
                name = f"picture {number}" if isinstance(picture, bytes | np.ndarray) else str(picture)
                raise UnreadableImageError(f"{name} {error}") from error


def load_champion(
    lake: Lake | str | os.PathLike[str], *, weights_folder: str | os.PathLike[str] | None = None, device: str = "auto"
) -> Pricer:
    """Load the champion of a lake's leaderboard.

    Args:
        lake: The lake, or its folder or fsspec address.
        weights_folder: Folder of weight files, for a champion that was trained with one.
        device: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

    Returns:
        The champion, ready to price pictures.

    Raises:
        NoChampionError: The lake has no champion yet.
        WeightsError: The weights that the champion was trained with are not available.
        DeviceError: The device is unknown or not usable.
    """
    opened = lake if isinstance(lake, Lake) else Lake.at(lake)
    folder = Path(weights_folder) if weights_folder is not None else None
    return Pricer.load(champion_folder(opened), folder, choose_device(device), champion_index(opened))


def champion_folder(lake: Lake) -> UPath:
    """The folder of the model that prices releases.

    Raises:
        NoChampionError: No champion has been chosen yet.
    """
    path = lake.table("model_leaderboard")
    if not path.exists():
        raise NoChampionError(
            f"the lake at {lake.root} has no champion yet: run make demo, materialize model_leaderboard, or set "
            "SNEAKER_LAKE to a lake that has one"
        )
    board = read_table(path)
    return lake.resolve(str(board.loc[board["champion"], "model"].iloc[0]))


def champion_index(lake: Lake) -> UPath | None:
    """Folder of the champion's similarity index, or None if none has been built."""
    return lake.referenced("similarity_index")
