"""Values that several tables share. Importing this module loads neither pandas nor pandera."""

from typing import Literal, get_args

LabelKind = Literal["average_sale", "last_sale", "lowest_ask", "highest_bid", "list", "sale", "retail", "unknown"]
"""Meaning of a price; ``list`` is the shop's regular price, ``sale`` its reduced one, ``unknown`` is not stated."""

LABEL_KINDS: tuple[LabelKind, ...] = get_args(LabelKind)
Condition = Literal["new", "used", "defects"]
"""Condition of a shoe on offer; ``defects`` is an unworn shoe with a flaw or without its box."""

CONDITIONS: tuple[Condition, ...] = get_args(Condition)
SizeSystem = Literal["us", "us_men", "us_women", "us_kids", "uk", "eu", "jp", "cm", "kr", "cn"]
"""System in which a size is given; ``us`` where men's and women's sizes are not told apart."""

SIZE_SYSTEMS: tuple[SizeSystem, ...] = get_args(SizeSystem)
SPLITS = ("train", "validation", "test")
FENCE_METHODS = ("iqr", "modified_z", "fixed_cap")
RESOLUTIONS = ("median", "drop")
REMOVAL_REASONS = (
    "no_price",
    "below_fence",
    "above_fence",
    "twins_disagree",
    "placeholder_picture",
    "used_condition",
    "not_footwear",
)
PREDICTORS = ("model", "mean", "median", "site_median", "nearest_neighbour")
STANDINGS = ("champion", "challenger", "former", "set aside")

MAX_PRICE = 10_000_000.0
"""US dollars; higher than any known sale of a shoe, so that a higher price must be a parsing error."""

RETAIL_CURRENCY = "USD"
"""Currency of StockX's retail prices in tables and crawl states written before each price had its own."""
