"""The offline shop: drawn shoes behind a real HTTP server on loopback, in the shape of two shops on the web.

Everything here follows from a seed. What reads the shop (adapters, the crawler) knows nothing of it but its addresses.
"""

from sneaker_assets.demo_shop.server import DemoShop

__all__ = ["DemoShop"]
