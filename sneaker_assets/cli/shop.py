"""``sneaker-shop``: serve the offline shop, or set its date in a lake."""

import argparse
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import date

from sneaker_assets.cli import MAX_SEED, Parser, whole_number
from sneaker_assets.demo_shop.catalogue import SHOP_DATE
from sneaker_assets.demo_shop.clock import set_shop_day
from sneaker_assets.demo_shop.server import DemoShop
from sneaker_assets.lake import Lake, LakeError
from sneaker_assets.settings.environment import load_settings

MAX_PRODUCTS = 100_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the shop until interrupted; with ``--set-today`` set its date in the lake and exit."""
    parser = Parser(prog="sneaker-shop", description="Serve an offline shop of drawn shoes on 127.0.0.1.")
    parser.add_argument(
        "--products",
        type=whole_number(1, MAX_PRODUCTS),
        default=800,
        help="products on sale at both sites (default 800)",
    )
    parser.add_argument("--seed", type=whole_number(0, MAX_SEED), default=2020, help="random seed (default 2020)")
    parser.add_argument(
        "--today",
        type=_day,
        default=SHOP_DATE,
        metavar="YYYY-MM-DD",
        help=f"date of the shop, which determines what has been released (default {SHOP_DATE})",
    )
    parser.add_argument(
        "--set-today",
        type=_day,
        metavar="YYYY-MM-DD",
        help="set the date of the shop that the lake is crawled from (SNEAKER_LAKE, else data_lake/), also while "
        "Dagster runs, and exit",
    )
    options = parser.parse_args(arguments)
    if options.set_today:
        try:
            lake = Lake.at(load_settings().lake)
            set_shop_day(lake, options.set_today)
        except LakeError as error:
            parser.exit(2, f"sneaker-shop: {error}\n")
        print(f"shop date of {lake.root} set to {options.set_today}", flush=True)  # noqa: T201
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with DemoShop(options.products, options.seed, options.today) as shop:
        for site, address in shop.addresses.items():
            print(f"{site:9} {address}", flush=True)  # noqa: T201
        print("press Ctrl-C to stop", flush=True)  # noqa: T201
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2020-10-01") from None


if __name__ == "__main__":
    main()
