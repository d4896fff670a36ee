"""``python -m sneaker_assets.demo_shop``, equivalent to ``sneaker-shop``."""

from sneaker_assets.cli.shop import main

if __name__ == "__main__":
    main()
