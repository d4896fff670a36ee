"""Attribution maps averaged over the cheapest and the most expensive shoes.

Trimmed images show the shoe at nearly the same position in the frame, so that the mean of many maps still distinguishes
toe, sole and collar.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.lake import Lake
from sneaker_assets.vision.explain.attribution import attribution_maps
from sneaker_assets.vision.imaging.decoding import Pixels
from sneaker_assets.vision.pricing.pricer import Pricer

MeanAttribution = tuple[Pixels, NDArray[np.float32], str]
"""Mean image uint8 [height, width, 3], mean attribution map float32 [height, width], and a caption."""


def mean_attribution_maps(
    pricer: Pricer, rows: pd.DataFrame, lake: Lake, count: int
) -> list[tuple[str, list[MeanAttribution]]]:
    """Mean image and mean attribution map of the cheapest and of the most expensive shoes.

    Args:
        pricer: The price model.
        rows: Columns ``sha256`` and ``price`` (US dollars); an image in several rows is used once.
        lake: The lake with the images.
        count: Maximum number of images in each mean; at most half of all images are used.

    Returns:
        One titled group with two entries, as :func:`figures.explained_predictions` draws them; empty if ``count`` is 0
        or there are fewer than two images.

    Raises:
        UnreadableImageError: An image cannot be decoded.
    """
    ranked = rows.sort_values("price", kind="stable").drop_duplicates("sha256")
    count = min(count, len(ranked) // 2)
    if not count:
        return []
    means = []
    for name, chosen in (("cheapest", ranked.head(count)), ("most expensive", ranked.tail(count))):
        pixels = pricer.read_known([lake.image(sha256) for sha256 in chosen["sha256"]])
        maps = attribution_maps(pricer, pixels)
        caption = f"the {count} {name}: ${chosen['price'].min():,.0f} to ${chosen['price'].max():,.0f}"
        means.append((pixels[0].mean(axis=0).astype(np.uint8), maps.mean(axis=0), caption))
    return [("Mean over test shoes", means)]
