"""Heads: models that map features to a price; training, tuning and conformal intervals."""
