"""The offline shop's day: kept in the lake that the shop is crawled into, so that a person can move it.

``sneaker-shop --set-today 2020-10-01`` moves it, also while Dagster runs: the shop is opened anew for each crawl.
"""

import os
from datetime import date

from sneaker_assets.demo_shop.catalogue import SHOP_DATE
from sneaker_assets.lake import Lake, LakeError, read_json, write_json

FILE_NAME = "shop_clock.json"


def shop_day(lake: Lake) -> date:
    """The day at the shop: ``SNEAKER_SHOP_TODAY``, else the day it was moved to, else that of the catalogue.

    Raises:
        LakeError: what should be a day is none.
    """
    setting, file = os.environ.get("SNEAKER_SHOP_TODAY"), lake.root / FILE_NAME
    if setting:
        return _day(setting, "SNEAKER_SHOP_TODAY")
    if not file.exists():
        return SHOP_DATE
    try:
        return _day(str(read_json(file)["today"]), str(file))
    except (ValueError, KeyError, TypeError) as error:
        raise LakeError(f"{file} holds no day: delete it, or set one with sneaker-shop --set-today") from error


def set_shop_day(lake: Lake, day: date) -> None:
    """Move the shop's clock; the next crawl sees the shop of that day."""
    write_json(lake.root / FILE_NAME, {"today": day.isoformat()})


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise LakeError(f"{where} is {text!r}: it must be a day such as 2020-10-01") from error
