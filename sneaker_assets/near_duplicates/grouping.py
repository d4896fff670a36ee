"""Grouping of near duplicates: copies of an image that were re-encoded, resized or padded.

Two images are near duplicates if the perceptual hashes of their content boxes differ in few bits, and the boxes have
the same aspect ratio and mean colour; colour is needed because two colourways in one pose have similar hashes. Groups
are the connected components of this relation.
"""

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from sneaker_assets.near_duplicates.perceptual_hash import N_BITS, hash_words
from sneaker_assets.settings.model import SettingsModel

_WORD_BITS = 64


class NearDuplicateSettings(SettingsModel):
    """Maximum differences between two images that count as near duplicates.

    Measured on product shots: of 150 that were re-encoded, resized or padded, 95 % of each kind of copy differ in at
    most 10 bits and none in more than 18. Among 8,783 images, all 13 pairs of different files within 16 bits were
    near duplicates on visual inspection; other colourways occur from 20 bits on.
    """

    max_hash_distance: int = Field(
        default=16, ge=0, le=64, description="Maximum Hamming distance between the perceptual hashes, of 256 bits."
    )
    max_aspect_difference: float = Field(
        default=0.03, ge=0, description="Maximum relative difference between the aspect ratios."
    )
    max_colour_difference: float = Field(
        default=8.0, ge=0, le=255, description="Maximum difference between the mean colours in any channel, of 255."
    )


def group_near_duplicates(pictures: pd.DataFrame, settings: NearDuplicateSettings | None = None) -> pd.Series:
    """Assign each image to a group of near duplicates.

    A group is named after its image that was observed first (of several, the one with the smallest hash), so that its
    name does not change when images are added. If an image connects two groups, the name of the older one is kept.

    Args:
        pictures: ``tables.ImageProperties``.
        settings: Maximum differences between near duplicates.

    Returns:
        Series ``twin_group`` with the name of each image's group and the index of ``pictures``. An image without a hash
        is a group of its own.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    settings = settings or NearDuplicateSettings()
    ordered = pictures.sort_values(["first_seen", "sha256"])
    hashed = np.flatnonzero(ordered["picture_hash"].notna())
    candidates = hashed[near_pairs(hash_words(ordered["picture_hash"].iloc[hashed]), settings.max_hash_distance)]
    left, right = candidates[_same_shape_and_colour(ordered, candidates, settings)].T
    graph = coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(len(ordered), len(ordered)))
    component = connected_components(graph, directed=False)[1]
    _, oldest = np.unique(component, return_index=True)
    names = ordered["sha256"].to_numpy()[oldest][component]
    return pd.Series(names, index=ordered.index, name="twin_group").reindex(pictures.index)


def near_pairs(hashes: NDArray[np.uint64], distance: int) -> NDArray[np.intp]:
    """All pairs of hashes within a Hamming distance, found exactly and in linear memory.

    The bits are partitioned into ``distance + 1`` bands. By the pigeonhole principle, two hashes within the distance
    are equal in at least one band, so only pairs that share a band are compared.

    Args:
        hashes: uint64 [n, 4].
        distance: Maximum Hamming distance, 0 to 255 bits.

    Returns:
        Pairs of indices, intp [m, 2]; each pair once and sorted.
    """
    n, bands = len(hashes), distance + 1
    found = [np.empty(0, dtype=np.int64)]
    for band in range(bands):
        key = _band(hashes, band, bands)
        order = np.argsort(key, kind="stable")
        key, sorted_hashes = key[order], hashes[order]
        first = np.arange(n)
        for step in itertools.count(1):
            first = first[: np.searchsorted(first, n - step)]
            first = first[key[first] == key[first + step]]
            if not first.size:
                break
            near = first[_within(sorted_hashes, first, first + step, distance)]
            pair = np.sort(np.stack([order[near], order[near + step]]), axis=0)
            found.append(pair[0] * n + pair[1])
    pairs = np.unique(np.concatenate(found))
    return np.stack([pairs // max(n, 1), pairs % max(n, 1)], axis=1)


def _band(hashes: NDArray[np.uint64], band: int, bands: int) -> NDArray[np.uint64]:
    """Bits ``band``, ``band + bands`` and so on, at most 64; neighbouring coefficients are correlated."""
    key = np.zeros(len(hashes), dtype=np.uint64)
    for bit in range(band, N_BITS, bands)[:_WORD_BITS]:
        word, shift = divmod(bit, _WORD_BITS)
        key = (key << np.uint64(1)) | ((hashes[:, word] >> np.uint64(shift)) & np.uint64(1))
    return key


def _within(
    hashes: NDArray[np.uint64], left: NDArray[np.intp], right: NDArray[np.intp], distance: int
) -> NDArray[np.bool_]:
    """Whether the hashes at ``left`` and ``right`` are within a Hamming distance."""
    differing: NDArray[np.uint8] = np.bitwise_count(hashes[left, 0] ^ hashes[right, 0])
    close: NDArray[np.bool_] = differing <= distance
    rest = np.bitwise_count(hashes[left[close], 1:] ^ hashes[right[close], 1:]).sum(axis=1)
    close[close] = differing[close] + rest <= distance
    return close


def _same_shape_and_colour(
    pictures: pd.DataFrame, pairs: NDArray[np.intp], settings: NearDuplicateSettings
) -> NDArray[np.bool_]:
    """Whether the images of each pair have similar aspect ratios and mean colours."""
    left, right = pairs.T
    width, height = pictures["right"] - pictures["left"], pictures["bottom"] - pictures["top"]
    shape = np.log((width / height).to_numpy(dtype=float))
    colours = pictures[["red", "green", "blue"]].to_numpy(dtype=float)
    same_shape: NDArray[np.bool_] = np.abs(shape[left] - shape[right]) <= np.log1p(settings.max_aspect_difference)
    same_colour: NDArray[np.bool_] = (
        np.abs(colours[left] - colours[right]).max(axis=1, initial=0.0) <= settings.max_colour_difference
    )
    return np.logical_and(same_shape, same_colour)
