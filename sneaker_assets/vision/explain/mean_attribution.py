"""What a price model looks at in general: heat maps averaged over cheap and over dear shoes.

Trimmed to their outlines, shoes lie nearly on top of each other in their frame, so that a mean map still says toe,
sole or collar. Heat maps of one picture are ``explanation``'s concern.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.lake import Lake
from sneaker_assets.vision.explain.attribution import heat_maps
from sneaker_assets.vision.imaging.decoding import Pixels, read_image
from sneaker_assets.vision.pricing.pricer import Pricer

TypicalShoe = tuple[Pixels, NDArray[np.float32], str]


def typical_heat_maps(
    pricer: Pricer, rows: pd.DataFrame, lake: Lake, count: int
) -> list[tuple[str, list[TypicalShoe]]]:
    """The mean picture and the mean heat map of the cheapest and of the dearest shoes.

    Args:
        pricer: The model.
        rows: Columns ``sha256`` and ``price`` (US dollars).
        lake: Where the pictures lie.
        count: How many of each; of the same picture one.

    Returns:
        As ``figures.explained_predictions`` draws them; none where there are fewer than two pictures.
    """
    ranked = rows.sort_values("price", kind="stable").drop_duplicates("sha256")
    count = min(count, len(ranked) // 2)
    if not count:
        return []
    shoes = []
    for name, chosen in (("cheapest", ranked.head(count)), ("dearest", ranked.tail(count))):
        pixels = np.stack([read_image(lake.image(sha256), pricer.frame) for sha256 in chosen["sha256"]])
        heat = heat_maps(pricer.model, pricer.backbone, pixels, pricer.device)
        words = f"the {count} {name}: ${chosen['price'].min():,.0f} to ${chosen['price'].max():,.0f}"
        shoes.append((pixels.mean(axis=0).astype(np.uint8), heat.mean(axis=0), words))
    return [("On average over test shoes", shoes)]
