"""Base class of all tables."""

from typing import Annotated

import pandas as pd
import pandera.pandas as pa

Timestamp = Annotated[pd.DatetimeTZDtype, "us", "UTC"]


class Table(pa.DataFrameModel):
    """Base class of all tables: no unknown columns, fixed column order, values coerced to their dtype."""

    class Config:
        """Settings of pandera that apply to every table."""

        strict = True
        ordered = True
        coerce = True
