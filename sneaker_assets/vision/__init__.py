"""Images in, prices out: decoding, backbones, features, heads and their evaluation. Never imports Dagster."""
