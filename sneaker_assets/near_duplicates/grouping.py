"""Twins: images that show the same picture, be it re-encoded, resized or padded. Prices are ``agreement``'s concern.

Two images are twins when the perceptual hashes of their trimmed boxes differ in few bits, their boxes have the same
shape, and their mean colours agree, since two colourways in one pose differ in little else. Groups are what twins of
twins reach: an image in the middle joins two groups.
"""

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sneaker_assets.near_duplicates.image_properties import hash_words
from sneaker_assets.settings_model import SettingsModel

_BITS, _WORD = 256, 64


class NearDuplicateSettings(SettingsModel):
    """Maximum differences between two images that count as near duplicates.

    Measured on product shots: of 150 that were encoded again, resized or padded, 95 % of each kind of copy differ in at
    most 10 bits and none in more than 18. Among 8,783 all 13 pairs of other bytes within 16 bits, looked at one by one,
    are the same picture; from 20 bits on other colourways begin.
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
    """The group that each image belongs to.

    A group is named by the image of it that was seen first (of those seen at once, the smallest sha256), so that it
    keeps its name whatever joins it later. Only an image that joins two groups changes a name: the younger one's.

    Args:
        pictures: ``tables.ImageProperties``.
        settings: How far apart twins may be.

    Returns:
        ``twin_group``, the name of each image's group, of the index of ``pictures``. An image without a hash is alone.
    """
    settings = settings or NearDuplicateSettings()
    ordered = pictures.sort_values(["first_seen", "sha256"])
    hashed = np.flatnonzero(ordered["picture_hash"].notna())
    candidates = hashed[near_pairs(hash_words(ordered["picture_hash"].iloc[hashed]), settings.max_hash_distance)]
    left, right = candidates[_alike(ordered, candidates, settings)].T
    graph = coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(len(ordered), len(ordered)))
    component = connected_components(graph, directed=False)[1]
    _, oldest = np.unique(component, return_index=True)
    names = ordered["sha256"].to_numpy()[oldest][component]
    return pd.Series(names, index=ordered.index, name="twin_group").reindex(pictures.index)


def near_pairs(hashes: NDArray[np.uint64], distance: int) -> NDArray[np.intp]:
    """All pairs of hashes that differ in at most ``distance`` bits; exact, in memory that grows with the hashes.

    The bits are dealt out to ``distance + 1`` bands. Two hashes that differ in no more bits agree on a whole band, so
    only those that share one are compared.

    Args:
        hashes: uint64 [n, 4].
        distance: Bits, 0 to 255.

    Returns:
        intp [m, 2], each pair once, the smaller index first.
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
    """Every ``bands``-th bit from bit ``band`` on, since neighbouring waves say much the same; the first 64 of them."""
    key = np.zeros(len(hashes), dtype=np.uint64)
    for bit in range(band, _BITS, bands)[:_WORD]:
        word, place = divmod(bit, _WORD)
        key = (key << np.uint64(1)) | ((hashes[:, word] >> np.uint64(place)) & np.uint64(1))
    return key


def _within(
    hashes: NDArray[np.uint64], left: NDArray[np.intp], right: NDArray[np.intp], distance: int
) -> NDArray[np.bool_]:
    """Whether the hashes at ``left`` and ``right`` differ in at most ``distance`` bits."""
    differing: NDArray[np.uint8] = np.bitwise_count(hashes[left, 0] ^ hashes[right, 0])
    close: NDArray[np.bool_] = differing <= distance
    rest = np.bitwise_count(hashes[left[close], 1:] ^ hashes[right[close], 1:]).sum(axis=1)
    close[close] = differing[close] + rest <= distance
    return close


def _alike(pictures: pd.DataFrame, pairs: NDArray[np.intp], settings: NearDuplicateSettings) -> NDArray[np.bool_]:
    """Whether the images of each pair agree in shape and colour."""
    left, right = pairs.T
    width, height = pictures["right"] - pictures["left"], pictures["bottom"] - pictures["top"]
    shape = np.log((width / height).to_numpy(dtype=float))
    colours = pictures[["red", "green", "blue"]].to_numpy(dtype=float)
    same_shape: NDArray[np.bool_] = np.abs(shape[left] - shape[right]) <= np.log1p(settings.max_aspect_difference)
    same_colour: NDArray[np.bool_] = (
        np.abs(colours[left] - colours[right]).max(axis=1, initial=0.0) <= settings.max_colour_difference
    )
    return np.logical_and(same_shape, same_colour)
