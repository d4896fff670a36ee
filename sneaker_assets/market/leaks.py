"""What a split gives away: how many of the rows to judge by show a picture that was learned from."""

import pandas as pd

from sneaker_assets.tables import SPLITS


def leak_report(splits: pd.DataFrame) -> pd.DataFrame:
    """How many rows of validation and test have a twin in train.

    Args:
        splits: Columns ``split``, ``sha256``, ``twin_group`` and ``price`` (US dollars), such as ``tables.Splits``.

    Returns:
        One row a side: ``split``, ``rows``, ``by_bytes`` (a listing in train has an image of the same bytes),
        ``by_picture`` (it shows the same picture in other bytes), ``clean`` (neither), and ``same_price`` (of the
        twins, those whose picture is listed in train at the very same price).
    """
    train = splits[splits["split"] == SPLITS[0]]
    prices = set(zip(train["twin_group"], train["price"], strict=True))
    rows = []
    for side in SPLITS[1:]:
        table = splits[splits["split"] == side]
        bytes_known, picture_known = (
            table["sha256"].isin(train["sha256"]),
            table["twin_group"].isin(train["twin_group"]),
        )
        same = [pair in prices for pair in zip(table["twin_group"], table["price"], strict=True)]
        rows.append(
            {
                "split": side,
                "rows": len(table),
                "by_bytes": int(bytes_known.sum()),
                "by_picture": int((picture_known & ~bytes_known).sum()),
                "clean": int((~picture_known & ~bytes_known).sum()),
                "same_price": sum(same),
            }
        )
    return pd.DataFrame(rows)
