"""Version of the code that shapes each stored result; raise one when the same inputs would give another result.

Assets carry these versions, so that Dagster marks what was made by earlier code. Features, models, studies, GAN runs,
exports, similarity indexes and image properties also hash theirs into the names or recipes under which results are
stored and reused.
Nothing is imported here: the graph is loaded without torch.
"""

CRAWL = "2"
"""Parsing of pages into observations."""

IMAGES = "1"
"""Download and identification of images."""

RATES = "1"
"""Exchange rates to US dollars."""

PRICE_HISTORY = "2"
"""Conversion of observed amounts to US dollars."""

IMAGE_PROPERTIES = "2"
"""Content box, mean colour and perceptual hash; since 2 of the upright image with 8 bits in sRGB."""

PRICE_TRENDS = "1"
"""Quartiles of the prices by month."""

NEAR_DUPLICATES = "1"
"""Grouping of near duplicates by those properties."""

LISTINGS = "3"
"""Choice of the label among the observed prices (since 3 also by condition and size), and the join to images."""

SHOES = "1"
"""Which products are one shoe."""

CLEANING = "3"
"""Removal of placeholder pictures (since 2), used shoes (since 3) and outliers, and resolution of label conflicts."""

STATISTICS = "1"
"""Summary statistics of the prices."""

SPLITS = "2"
"""Assignment of near-duplicate groups and, since 2, shoes to train, validation and test."""

TRAINED_ROWS = "1"
"""Training snapshots."""

FEATURES = "4"
"""Preprocessing of images and pooling of feature maps."""

PRICE_MODEL = "5"
"""Training of heads and their intervals; since 5 clipped to the training prices, with intervals by predicted price."""

TUNING = "1"
"""Search space and objective of the hyperparameter search."""

FINETUNING = "2"
"""Fine-tuning of backbones; since 2 with features of the kind ``grid``."""

ENSEMBLE = "1"
"""Choice of an ensemble's members, their weights and the interval."""

EVALUATION = "2"
"""Metrics and baselines on held-out rows; since 2 with the coverage by fifth of the predicted price."""

STUDIES = "1"
"""Leak report and outlier ablation."""

LEARNING_CURVE = "1"
"""Subsets and scores of the learning curve by number of training rows."""

LEADERBOARD = "1"
"""Ranking of models and choice of the champion."""

SIMILARITY_INDEX = "1"
"""Vectors and rows of the similarity index."""

EXPORT = "1"
"""Export of price models as ONNX and as a torch program."""

RESIDUALS = "1"
"""Analysis of the residuals, and mean heat maps."""

GAN = "1"
"""Networks and training of GANs."""

GAN_EVALUATION = "1"
"""Quality, novelty and colours of samples."""

CONDITIONAL_GAN = "1"
"""Labels of the training images of a conditional GAN."""

CONDITIONAL_GAN_EVALUATION = "1"
"""Colours of its samples."""

RELEASES = "1"
"""Announced products."""

PREDICTIONS = "1"
"""Predicted prices of releases, premium and profit."""

BACKTEST = "2"
"""Comparison of predictions with the prices observed later, since 2 also of the same style code and by size."""

REPLAY = "2"
"""Pricing of past releases with the data known when they were announced; since 2 as PRICE_MODEL since 5."""


def changed(**versions: str) -> dict[str, str]:
    """The versions to hash into the name of a result: those other than ``"1"``, whose results keep their names.

    Args:
        **versions: Constants of this module, by the key under which they are hashed.
    """
    return {key: version for key, version in versions.items() if version != "1"}
