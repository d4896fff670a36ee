"""The offline shop for a person: opens both sites, prints where they are, and serves until it is interrupted."""

import argparse
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import date

from sneaker_assets.demo_shop.catalogue import SHOP_DATE
from sneaker_assets.demo_shop.server import DemoShop


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the shop until Ctrl-C or a termination signal."""
    parser = argparse.ArgumentParser(prog="sneaker-shop", description="An offline shop of drawn shoes on 127.0.0.1.")
    parser.add_argument("--products", type=int, default=800, help="products on sale at both sites (default 800)")
    parser.add_argument("--seed", type=int, default=2020, help="another seed is another shop (default 2020)")
    parser.add_argument(
        "--today",
        type=date.fromisoformat,
        default=SHOP_DATE,
        metavar="YYYY-MM-DD",
        help=f"the shop's day, which decides what has been released (default {SHOP_DATE})",
    )
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with DemoShop(options.products, options.seed, options.today) as shop:
        for site, address in shop.addresses.items():
            print(f"{site:9} {address}", flush=True)  # noqa: T201
        print("Ctrl-C ends the shop", flush=True)  # noqa: T201
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
