"""Explanations: attribution maps, and reports on single predictions."""
