"""Prices of the shop: a score of the visible design plus noise, mapped to the quantiles of real prices."""

import math
import random
from bisect import bisect_right
from statistics import NormalDist

from sneaker_assets.demo_shop.design import Mark, Material, ShoeDesign, Silhouette

QUANTILES: dict[float, float] = {
    0: 22, 1: 82, 5: 114, 10: 142, 15: 171, 20: 211, 25: 247, 30: 284, 40: 367, 50: 457, 60: 538, 70: 638, 75: 696,
    80: 767, 85: 843, 90: 969, 95: 1186, 96: 1280, 97: 1465, 98: 1630, 99: 2112, 99.5: 3239, 99.9: 9249, 100: 38538,
}  # fmt: skip
"""Published quantiles of the prices of 12,897 shoes: percent to US dollars."""

GRAIL_SHARE = 0.04
"""Share of the shoes with a price from the top of the distribution, independent of their design."""

EXPLAINED_VARIANCE = 0.72
"""Share of the variance of the other shoes' scores that their design explains."""

SILHOUETTE_WORTH: dict[Silhouette, float] = {
    "runner": 0.0, "skate": -0.75, "basketball": 0.25, "boot": 0.85, "loafer": 0.35,
}  # fmt: skip
MATERIAL_WORTH: dict[Material, float] = {
    "leather": 0.25, "suede": 0.10, "mesh": -0.55, "patent": 0.80, "canvas": -0.95,
}  # fmt: skip
MARK_WORTH: dict[Mark, float] = {
    "none": 0.30, "stripes": -0.40, "swoosh": -0.10, "chevrons": 0.0, "wave": -0.20, "star": 0.45,
}  # fmt: skip

APPEARANCE_MEAN = 0.58
APPEARANCE_SD = 1.18

_PERCENTS = list(QUANTILES)
_LOGS = [math.log(dollars) for dollars in QUANTILES.values()]
_NORMAL = NormalDist()


def appearance(design: ShoeDesign) -> float:
    """Score of a design, approximately standard normal over the shop's designs."""
    worth = (
        SILHOUETTE_WORTH[design.silhouette]
        + MATERIAL_WORTH[design.material]
        + MARK_WORTH[design.mark]
        + 0.22 * (design.n_colours - 3)
        + 1.0 * (design.sole_height - 0.5)
        + 0.3 * (design.collar_height - 0.5)
        - 0.8 * (design.saturation - 0.3)
        + 0.9 * design.gold_trim
        + 0.25 * design.toe_cap
    )
    return (worth - APPEARANCE_MEAN) / APPEARANCE_SD


def price_at(quantile: float) -> float:
    """Price (US dollars) at a quantile (0 to 1) of the distribution of prices."""
    percent = 100 * min(max(quantile, 0.0), 1.0)
    i = min(bisect_right(_PERCENTS, percent), len(_PERCENTS) - 1)
    share = (percent - _PERCENTS[i - 1]) / (_PERCENTS[i] - _PERCENTS[i - 1])
    return math.exp(_LOGS[i - 1] + share * (_LOGS[i] - _LOGS[i - 1]))


def draw_price(design: ShoeDesign, rng: random.Random) -> float:
    """Random price of a shoe.

    Args:
        design: The shoe, whose visible attributes explain a part of the variance.
        rng: The random state.

    Returns:
        US dollars.
    """
    noise, luck, rank = rng.gauss(0, 1), rng.random(), rng.random()
    if luck < GRAIL_SHARE:
        return price_at(1 - GRAIL_SHARE * rank)
    score = math.sqrt(EXPLAINED_VARIANCE) * appearance(design) + math.sqrt(1 - EXPLAINED_VARIANCE) * noise
    return price_at((1 - GRAIL_SHARE) * _NORMAL.cdf(score))


def near(price: float, spread: float, rng: random.Random) -> float:
    """Price with log-normal noise, clipped to the range of prices.

    Args:
        price: US dollars.
        spread: Standard deviation of the noise of the log price.
        rng: The random state.

    Returns:
        US dollars.
    """
    return min(max(price * math.exp(rng.gauss(0, spread)), QUANTILES[0]), QUANTILES[100])
