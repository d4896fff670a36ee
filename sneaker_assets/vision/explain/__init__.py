"""Explanations of predictions: attribution maps, their averages, and reports on priced shoes."""
