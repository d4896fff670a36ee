"""The jobs, one a partition dimension, in the order in which a whole pass runs them."""

import dagster as dg

PARTITION_TAG = "dagster/partition"
"""Run tag: the partition that the run is of."""

MAX_RUNTIME = "dagster/max_runtime"
"""Run tag, seconds: a run that takes longer hangs, or died with its machine, and would hold up others for ever."""

crawl_site = dg.define_asset_job(
    "crawl_site",
    ["raw_scrapes", "scraped_images"],
    description="Read a site's listings and fetch its new images.",
    tags={MAX_RUNTIME: 12 * 3600},
)
build_data_set = dg.define_asset_job(
    "build_data_set",
    [
        "fx_rates",
        "price_observations",
        "image_properties",
        "listings",
        "clean_listings",
        "removed_listings",
        "price_fences",
        "twin_conflicts",
        "price_statistics",
        "splits",
    ],
    description="Turn what was scraped into clean listings and splits.",
)
train_price_model = dg.define_asset_job(
    "train_price_model",
    ["image_features", "price_model", "trained_rows", "evaluation_metrics", "leak_report", "outlier_ablation"],
    description="Compute a backbone's missing features, train its head, score it and look at its data.",
)
tune_price_model = dg.define_asset_job(
    "tune_price_model", ["tuned_hyperparameters"], description="Search for the settings of a backbone's head."
)
finetune_price_model = dg.define_asset_job(
    "finetune_price_model",
    ["finetuned_price_model", "finetuned_evaluation"],
    description="Train a backbone further together with its head, and score it.",
)
export_model = dg.define_asset_job(
    "export_model", ["exported_model"], description="Write a backbone's price model as ONNX and as a torch program."
)
explain_price_model = dg.define_asset_job(
    "explain_price_model", ["residual_attributes"], description="Look at what a backbone's price model gets wrong."
)
rank_models = dg.define_asset_job(
    "rank_models", ["model_leaderboard"], description="Choose the champion among the evaluated backbones."
)
train_gan = dg.define_asset_job(
    "train_gan",
    ["gan_checkpoints", "gan_evaluation"],
    description="Train a price band's generator, or go on training it, and judge it.",
)
compare_bands = dg.define_asset_job(
    "compare_bands", ["gan_colour_comparison"], description="Compare the price bands' shoes, real and generated."
)
price_release = dg.define_asset_job(
    "price_release",
    ["releases", "release_predictions"],
    description="Price an announced shoe.",
    tags={MAX_RUNTIME: 600},
)
judge_predictions = dg.define_asset_job(
    "judge_predictions", ["prediction_backtest"], description="Set predictions beside the prices that were seen since."
)
replay_releases = dg.define_asset_job(
    "replay_releases", ["release_replay"], description="Price a past year's releases with what was known on each day."
)

JOBS = (
    crawl_site,
    build_data_set,
    train_price_model,
    tune_price_model,
    finetune_price_model,
    export_model,
    explain_price_model,
    rank_models,
    train_gan,
    compare_bands,
    price_release,
    judge_predictions,
    replay_releases,
)
