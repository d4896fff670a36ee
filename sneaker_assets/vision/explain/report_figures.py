"""Contents of figures on priced shoes: texts, attribution maps and images of similar shoes.

Drawing them is ``figures``'s concern.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.figures.releases import ShoePanel
from sneaker_assets.lake import Lake
from sneaker_assets.market.fees import Fees
from sneaker_assets.vision.explain.attribution import attribution_maps
from sneaker_assets.vision.explain.report import report_lines
from sneaker_assets.vision.heads.conformal import MIN_PRICE
from sneaker_assets.vision.imaging.decoding import Frame, Pixels, UnreadableImageError, read_image
from sneaker_assets.vision.pricing.pricer import PricedPicture, Pricer

_THUMBNAIL = Frame(150, 240, "trim")

ExplainedPrediction = tuple[Pixels, NDArray[np.float32], str]
"""Image uint8 [height, width, 3], attribution map float32 [height, width], and a caption."""


def report_figure(
    priced: PricedPicture,
    title: str,
    pixels: Pixels,
    attribution: NDArray[np.float32],
    lake: Lake,
    *,
    retail: float | None,
    fees: Fees,
) -> ShoePanel:
    """Contents of the figure of one priced shoe; similar shoes whose images cannot be read are skipped.

    Args:
        priced: The priced image.
        title: Name of the shoe.
        pixels: uint8 [height, width, 3], RGB.
        attribution: float32 [height, width], the image's map of :func:`attribution.attribution_maps`.
        lake: The lake with the images of similar shoes.
        retail: Retail price in US dollars, or None if unknown.
        fees: Fees of the site where the shoe is sold.

    Returns:
        What :func:`figures.priced_shoes` draws.
    """
    similar = []
    for shoe in priced.similar.itertuples():
        try:
            thumbnail = read_image(lake.image(str(shoe.sha256)), _THUMBNAIL)
        except UnreadableImageError:
            continue
        similar.append((thumbnail, f"${shoe.price:,.0f}\n{_shorten(str(shoe.title))}"))
    return ShoePanel(pixels, attribution, title, report_lines(priced, retail, fees), similar)


def explain_predictions(
    pricer: Pricer, predictions: pd.DataFrame, lake: Lake, count: int
) -> list[tuple[str, list[ExplainedPrediction]]]:
    """Images and attribution maps of the predictions with the smallest and the largest relative errors.

    Args:
        pricer: The model that made the predictions.
        predictions: Columns ``sha256``, ``price`` and ``model`` (US dollars); an image in several rows is shown once,
            with its best prediction.
        lake: The lake with the images.
        count: Maximum number of images in each group.

    Returns:
        One titled group each for the best and the worst predictions, as :func:`figures.explained_predictions` draws
        them. No image is in both groups; empty groups are absent.

    Raises:
        UnreadableImageError: An image cannot be decoded.
    """
    ratio = predictions["model"].clip(lower=MIN_PRICE) / predictions["price"]
    errors = predictions.assign(error=np.abs(np.log(ratio)))
    ranked = errors.sort_values("error", kind="stable").drop_duplicates("sha256")
    best, worst = ranked.head(count), ranked.tail(min(count, max(0, len(ranked) - count))).iloc[::-1]
    groups = []
    for name, chosen in (("Best test predictions", best), ("Worst test predictions", worst)):
        if chosen.empty:
            continue
        pixels = pricer.read_known([lake.image(sha256) for sha256 in chosen["sha256"]])
        maps = attribution_maps(pricer, pixels)
        captions = [f"${shoe.model:,.0f} predicted, ${shoe.price:,.0f} actual" for shoe in chosen.itertuples()]
        groups.append((name, list(zip(pixels[0], maps, captions, strict=True))))
    return groups


def _shorten(title: str, max_length: int = 28) -> str:
    return title if len(title) <= max_length else f"{title[: max_length - 1].rstrip()}…"
