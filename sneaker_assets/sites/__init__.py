"""The source sites: one adapter module each, and the registry that names them."""
