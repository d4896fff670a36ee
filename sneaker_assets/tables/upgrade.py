"""Tables written by earlier versions of the package."""

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.tables.values import RETAIL_CURRENCY


def with_added_columns(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A table of the lake with the nullable columns that an earlier version of the package did not write.

    Args:
        name: Asset that wrote the table.
        frame: The table as stored.
    """
    columns = tables.SCHEMAS[name].to_schema().columns if name in tables.SCHEMAS else {}
    added = [key for key, column in columns.items() if column.nullable and key not in frame.columns]
    if not added:
        return frame
    filled = frame.assign(**{column: pd.Series(None, index=frame.index, dtype=object) for column in added})
    if "retail_currency" in added:
        stated = filled["currency"].where(filled["site"] != "stockx", RETAIL_CURRENCY)
        filled["retail_currency"] = stated.where(filled["retail_price"].notna())
    return filled[[*(key for key in columns if key in filled), *(key for key in filled if key not in columns)]]
