"""Base class of all tables, and values that several of them share."""

from typing import Annotated, Literal, get_args

import pandas as pd
import pandera.pandas as pa

LabelKind = Literal["average_sale", "last_sale", "lowest_ask", "highest_bid", "list", "sale", "retail", "unknown"]
"""Meaning of a price; ``list`` is the shop's regular price, ``sale`` its reduced one, ``unknown`` is not stated."""

LABEL_KINDS: tuple[LabelKind, ...] = get_args(LabelKind)
SPLITS = ("train", "validation", "test")
FENCE_METHODS = ("iqr", "modified_z", "fixed_cap")
RESOLUTIONS = ("median", "drop")
REMOVAL_REASONS = ("no_price", "below_fence", "above_fence", "twins_disagree")

MAX_PRICE = 10_000_000.0
"""US dollars; higher than any known sale of a shoe, so that a higher price must be a parsing error."""

Timestamp = Annotated[pd.DatetimeTZDtype, "us", "UTC"]


class Table(pa.DataFrameModel):
    """Base class of all tables: no unknown columns, fixed column order, values coerced to their dtype."""

    class Config:
        """Settings of pandera that apply to every table."""

        strict = True
        ordered = True
        coerce = True
