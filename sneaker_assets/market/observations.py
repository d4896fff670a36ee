"""The append-only history of what was seen. Which of the prices becomes a label is ``labels``'s concern."""

import pandas as pd


def append_observations(history: pd.DataFrame | None, seen: pd.DataFrame) -> pd.DataFrame:
    """The history with what was seen now at its end.

    Args:
        history: ``tables.Observations`` of earlier crawls, or None before the first.
        seen: ``tables.Observations`` of this crawl.

    Returns:
        ``tables.Observations``; a row that is already there to the letter (an archive read again) is not repeated.
    """
    if history is None:
        return seen
    return pd.concat([history, seen], ignore_index=True).drop_duplicates(ignore_index=True)
