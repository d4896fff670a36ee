"""Version of the code that shapes each stored result; raise one when the same inputs would give another result.

Assets carry these versions, so that Dagster marks what was made by earlier code. Features, price models, similarity
indexes and image properties also hash theirs into the names or recipes under which results are stored and reused.
Nothing is imported here: the graph is loaded without torch.
"""

CRAWL = "2"
"""Parsing of pages into observations."""

IMAGES = "1"
"""Download and identification of images."""

RATES = "1"
PRICE_HISTORY = "2"
"""Conversion of observed amounts to US dollars."""

IMAGE_PROPERTIES = "1"
"""Content box, mean colour and perceptual hash."""

NEAR_DUPLICATES = "1"
"""Grouping of near duplicates by those properties."""

LISTINGS = "2"
"""Choice of the label among the observed prices, and the join to images."""

CLEANING = "2"
STATISTICS = "1"
SPLITS = "1"
TRAINED_ROWS = "1"
FEATURES = "4"
"""Preprocessing of images and pooling of feature maps."""

PRICE_MODEL = "4"
"""Training of heads."""

TUNING = "1"
FINETUNING = "1"
EVALUATION = "1"
"""Metrics, baselines and prediction intervals on held-out rows."""

STUDIES = "1"
"""Leak report and outlier ablation."""

LEADERBOARD = "1"
SIMILARITY_INDEX = "1"
EXPORT = "1"
RESIDUALS = "1"
GAN = "1"
GAN_EVALUATION = "1"
RELEASES = "1"
PREDICTIONS = "1"
BACKTEST = "1"
REPLAY = "1"
