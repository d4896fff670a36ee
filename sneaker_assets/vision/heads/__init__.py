"""Heads: models that map image features to a price, with their training, tuning and conformal intervals."""
