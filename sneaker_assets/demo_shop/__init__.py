"""The offline shop: an HTTP server on loopback that imitates two web shops, with procedurally drawn shoes.

All of its content is determined by a seed.
"""

from sneaker_assets.demo_shop.server import DemoShop

__all__ = ["DemoShop"]
