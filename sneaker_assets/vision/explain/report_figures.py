"""What is drawn of one priced shoe: its words, its heat map, and the pictures of the shoes that it resembles.

How it is drawn is ``figures``'s concern; what the words are, ``report``'s.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.figures.releases import ShoePanel
from sneaker_assets.lake import Lake
from sneaker_assets.market.fees import Fees
from sneaker_assets.vision.explain.attribution import heat_maps
from sneaker_assets.vision.explain.report import sentences
from sneaker_assets.vision.heads.conformal import LEAST_PRICE
from sneaker_assets.vision.imaging.decoding import Frame, Pixels, UnreadableImageError, read_image
from sneaker_assets.vision.pricing.pricer import PricedPicture, Pricer

_SMALL = Frame(150, 240, "trim")


def on_paper(
    priced: PricedPicture,
    title: str,
    pixels: Pixels,
    heat: NDArray[np.float32],
    lake: Lake,
    *,
    retail: float | None,
    fees: Fees,
) -> ShoePanel:
    """All of it for a figure; a similar shoe whose picture is no longer in the lake is left out.

    Args:
        priced: What the model makes of it.
        title: Its name.
        pixels: uint8 [height, width, 3], RGB.
        heat: float32 [height, width] of ``explanation.heat_maps``.
        lake: Where the pictures of the similar shoes lie.
        retail: US dollars, None where it is not known.
        fees: What selling costs.
    """
    similar = []
    for shoe in priced.similar.itertuples():
        try:
            picture = read_image(lake.image(str(shoe.sha256)), _SMALL)
        except UnreadableImageError:
            continue
        similar.append((picture, f"${shoe.price:,.0f}\n{_short(str(shoe.title))}"))
    return ShoePanel(pixels, heat, title, sentences(priced, retail, fees), similar)


def explain_predictions(
    pricer: Pricer, predictions: pd.DataFrame, lake: Lake, count: int
) -> list[tuple[str, list[tuple[Pixels, NDArray[np.float32], str]]]]:
    """The pictures of the best and of the worst predictions with their heat maps, best and worst by ratio.

    Args:
        pricer: The model that made them.
        predictions: Columns ``sha256``, ``price`` and ``model`` (US dollars).
        lake: Where the pictures lie.
        count: How many of each; of the same picture one.

    Returns:
        As ``figures.explained_predictions`` draws them.
    """
    ratio = predictions["model"].clip(lower=LEAST_PRICE) / predictions["price"]
    ranked = predictions.assign(off=np.abs(np.log(ratio))).sort_values("off", kind="stable").drop_duplicates("sha256")
    best, worst = ranked.head(count), ranked.tail(min(count, max(0, len(ranked) - count))).iloc[::-1]
    rows = []
    for name, chosen in (("Best test predictions", best), ("Worst test predictions", worst)):
        if chosen.empty:
            continue
        pixels = np.stack([read_image(lake.image(sha256), pricer.frame) for sha256 in chosen["sha256"]])
        heat = heat_maps(pricer.model, pricer.backbone, pixels, pricer.device)
        words = [f"${shoe.model:,.0f} predicted, ${shoe.price:,.0f} seen" for shoe in chosen.itertuples()]
        rows.append((name, list(zip(pixels, heat, words, strict=True))))
    return rows


def _short(title: str, most: int = 28) -> str:
    return title if len(title) <= most else f"{title[: most - 1].rstrip()}…"
