"""Leakage of a split: rows of validation and test whose image is also in train."""

import pandas as pd

from sneaker_assets.tables import SPLITS


def leak_report(splits: pd.DataFrame) -> pd.DataFrame:
    """Count the rows of validation and test that have a near duplicate in train.

    Args:
        splits: ``tables.Splits`` or the columns ``split``, ``sha256``, ``twin_group`` and ``price`` (US dollars).

    Returns:
        One row for validation and one for test: ``split``, ``rows``, ``by_bytes`` (an identical image is in train),
        ``by_picture`` (only a near duplicate is in train), ``clean`` (neither), and ``same_price`` (near duplicates
        that have the same price as one in train).
    """
    train = splits[splits["split"] == SPLITS[0]]
    prices = set(zip(train["twin_group"], train["price"], strict=True))
    rows = []
    for side in SPLITS[1:]:
        table = splits[splits["split"] == side]
        in_train, group_in_train = (
            table["sha256"].isin(train["sha256"]),
            table["twin_group"].isin(train["twin_group"]),
        )
        same = [pair in prices for pair in zip(table["twin_group"], table["price"], strict=True)]
        rows.append(
            {
                "split": side,
                "rows": len(table),
                "by_bytes": int(in_train.sum()),
                "by_picture": int((group_in_train & ~in_train).sum()),
                "clean": int((~group_in_train & ~in_train).sum()),
                "same_price": sum(same),
            }
        )
    return pd.DataFrame(rows)
