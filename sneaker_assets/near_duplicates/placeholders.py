"""Recognizes placeholder pictures that were found among the listings; see ``market.placeholders``."""

import pandas as pd

from sneaker_assets.lake import Lake, read_table
from sneaker_assets.near_duplicates.grouping import group_near_duplicates
from sneaker_assets.near_duplicates.image_properties import describe_images


def shows_placeholder(lake: Lake, sha256: str) -> bool:
    """Whether an image is one of the placeholders of the lake's removed listings, or a near duplicate of one.

    Args:
        lake: Lake that holds the image; without a table of removed listings, no placeholder is known.
        sha256: The image.

    Raises:
        StoredImageError: The image is missing or cannot be decoded.
    """
    removed, properties = lake.table("removed_listings"), lake.table("image_properties")
    if not (removed.exists() and properties.exists()):
        return False
    reasons = read_table(removed)[["reason", "sha256"]]
    placeholders = reasons.loc[reasons["reason"] == "placeholder_picture", "sha256"]
    if placeholders.empty:
        return False
    known = read_table(properties)
    image = pd.DataFrame({"sha256": [sha256], "first_seen": [known["first_seen"].max()]})
    pictures = describe_images(lake, image, known[known["sha256"].isin(placeholders)])
    groups = group_near_duplicates(pictures).set_axis(pictures["sha256"])
    return bool((groups[groups.index.isin(placeholders)] == groups[sha256]).any())
