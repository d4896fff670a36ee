"""Command-line tools: ``sneaker-assets``, ``sneaker-price``, ``sneaker-generate``, ``sneaker-shop``."""
