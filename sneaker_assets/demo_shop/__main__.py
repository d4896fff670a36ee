"""``python -m sneaker_assets.demo_shop``: the same as ``sneaker-shop``."""

from sneaker_assets.cli.shop import main

if __name__ == "__main__":
    main()
