"""Jobs, in the order of a full pass; each selects whole asset groups, so a new asset joins its job by its group."""

import dagster as dg

from sneaker_assets.assets import groups

PARTITION_TAG = "dagster/partition"
"""Run tag: partition of the run."""

MAX_RUNTIME = "dagster/max_runtime"
"""Run tag: maximum duration in seconds, after which a hanging run is terminated."""


crawl_site = dg.define_asset_job(
    "crawl_site",
    dg.AssetSelection.groups(groups.SCRAPES),
    description="Crawl a site's listings and download its new images.",
    tags={MAX_RUNTIME: 12 * 3600},
)
build_price_history = dg.define_asset_job(
    "build_price_history",
    dg.AssetSelection.groups(groups.RATES, groups.PRICES),
    description="Convert everything that was scraped to price history and trends, which need no pictures.",
)
build_data_set = dg.define_asset_job(
    "build_data_set",
    dg.AssetSelection.groups(groups.RATES, groups.PRICES, groups.DATA_SET),
    description="Build clean listings and splits from everything that was scraped.",
)
train_price_model = dg.define_asset_job(
    "train_price_model",
    dg.AssetSelection.groups(groups.FEATURES, groups.TRAINING, groups.EVALUATION),
    description="Compute a backbone's missing features, train its head, evaluate it, and run the studies of its data.",
)
tune_price_model = dg.define_asset_job(
    "tune_price_model",
    dg.AssetSelection.groups(groups.TUNING),
    description="Search for hyperparameters of a backbone's head.",
)
finetune_price_model = dg.define_asset_job(
    "finetune_price_model",
    dg.AssetSelection.groups(groups.FINETUNING),
    description="Fine-tune a backbone together with its head, and evaluate it.",
)
export_model = dg.define_asset_job(
    "export_model",
    dg.AssetSelection.groups(groups.EXPORT),
    description="Export a backbone's price model as ONNX and as a torch program.",
)
explain_price_model = dg.define_asset_job(
    "explain_price_model",
    dg.AssetSelection.groups(groups.EXPLANATION),
    description="Analyse the residuals of a backbone's price model.",
)
rank_models = dg.define_asset_job(
    "rank_models",
    dg.AssetSelection.groups(groups.CHAMPION),
    description="Build the ensemble, choose the champion among the evaluated models, and index its shoes.",
)
train_gan = dg.define_asset_job(
    "train_gan",
    dg.AssetSelection.groups(groups.GAN),
    description="Train a price band's GAN, or continue its training, and evaluate it.",
)
compare_bands = dg.define_asset_job(
    "compare_bands",
    dg.AssetSelection.groups(groups.GAN_COMPARISON),
    description="Compare real and generated shoes across the price bands.",
)
train_conditional_gan = dg.define_asset_job(
    "train_conditional_gan",
    dg.AssetSelection.groups(groups.CONDITIONAL_GAN),
    description="Train the GAN that knows price bands and colours, or continue its training, and evaluate it.",
)
price_release = dg.define_asset_job(
    "price_release",
    dg.AssetSelection.groups(groups.RELEASE_PRICING),
    description="Price an announced shoe.",
    tags={MAX_RUNTIME: 600},
)
backtest_predictions = dg.define_asset_job(
    "backtest_predictions",
    dg.AssetSelection.groups(groups.BACKTEST),
    description="Compare predictions with the prices observed since.",
)
replay_releases = dg.define_asset_job(
    "replay_releases",
    dg.AssetSelection.groups(groups.REPLAY),
    description="Price a past year's releases with the data known on the day of their announcement.",
)

JOBS = (
    crawl_site,
    build_price_history,
    build_data_set,
    train_price_model,
    tune_price_model,
    finetune_price_model,
    export_model,
    explain_price_model,
    rank_models,
    train_gan,
    compare_bands,
    train_conditional_gan,
    price_release,
    backtest_predictions,
    replay_releases,
)
