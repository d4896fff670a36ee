"""``python -m sneaker_assets.demo_shop``, equivalent to ``sneaker-shop``."""

import sys

from sneaker_assets.cli import sneaker_shop

if __name__ == "__main__":
    sys.exit(sneaker_shop())
