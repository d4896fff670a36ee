"""Asset groups, one for each stage; jobs and automation conditions select whole groups.

An asset joins a stage by its ``group_name`` alone. A group contains exactly the assets that one job or one condition
covers and is never named like an asset.
"""

SCRAPES = "scrapes"
"""Observations and images of one site."""

RATES = "exchange_rates"
PRICES = "price_history"
"""Price history and trends, which need no picture; rebuilt together with the data set."""

DATA_SET = "data_set"
"""From image properties to splits, rebuilt together once the due crawls are done."""

FEATURES = "features"
TRAINING = "training"
"""A backbone's price model, the snapshot of its training rows, and the studies of the same rows."""

EVALUATION = "evaluation"
TUNING = "tuning"
FINETUNING = "finetuning"
CHAMPION = "champion"
"""The ensemble, the leaderboard, and the similarity index of the model it names champion."""

EXPORT = "export"
EXPLANATION = "explanation"
GAN = "gan"
GAN_COMPARISON = "gan_comparison"
CONDITIONAL_GAN = "conditional_gan"
"""One generator of all price bands and colours."""

RELEASE_PRICING = "release_pricing"
BACKTEST = "backtest"
REPLAY = "replay"
