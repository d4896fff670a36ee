"""Price prediction from images: decoding, backbones, features, heads, evaluation. Never imports Dagster."""
