"""The offline shop's date, stored in the lake that the shop is crawled into.

``sneaker-shop --set-today 2020-10-01`` changes it, also while Dagster runs: the shop is started anew for each crawl.
"""

from datetime import date

from sneaker_assets.demo_shop.catalogue import SHOP_DATE
from sneaker_assets.lake import Lake, LakeError, read_json, write_json

FILE_NAME = "shop_clock.json"


def shop_day(lake: Lake) -> date:
    """The date at the shop: the one stored in the lake, or the catalogue's default.

    Raises:
        LakeError: The stored date is invalid.
    """
    file = lake.root / FILE_NAME
    if not file.exists():
        return SHOP_DATE
    try:
        return date.fromisoformat(read_json(file)["today"])
    except (ValueError, KeyError, TypeError) as error:
        raise LakeError(
            f"{file} is damaged: delete it, or set the date with sneaker-shop --set-today 2020-10-01"
        ) from error


def set_shop_day(lake: Lake, day: date) -> None:
    """Store the date of the shop; the next crawl sees the shop on that day.

    Args:
        lake: The lake that the shop is crawled into.
        day: The date.
    """
    write_json(lake.root / FILE_NAME, {"today": day.isoformat()})
