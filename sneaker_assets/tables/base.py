"""What all tables share: their settings, and the values that several of them name."""

from typing import Annotated, Literal, get_args

import pandas as pd
import pandera.pandas as pa

LabelKind = Literal["average_sale", "last_sale", "lowest_ask", "highest_bid", "list", "sale", "retail", "unknown"]
"""What a price means; ``list`` is the shop's own price, ``sale`` its reduced one, ``unknown`` was never said."""

LABEL_KINDS: tuple[LabelKind, ...] = get_args(LabelKind)
SPLITS = ("train", "validation", "test")
FENCE_METHODS = ("iqr", "modified_z", "fixed_cap")
RESOLUTIONS = ("median", "drop")
REMOVAL_REASONS = ("no_price", "below_fence", "above_fence", "twins_disagree", "not_footwear")

DEAREST = 10_000_000.0
"""US dollars; no shoe was ever sold for as much, so a price beyond it was misread."""

Timestamp = Annotated[pd.DatetimeTZDtype, "us", "UTC"]


class Table(pa.DataFrameModel):
    """What all tables share: no unknown column, columns in order, values converted to their dtype."""

    class Config:
        """pandera's settings for every table."""

        strict = True
        ordered = True
        coerce = True
