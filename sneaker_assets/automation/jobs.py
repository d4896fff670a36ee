"""The jobs, one a partition dimension, in the order in which a whole pass runs them."""

import dagster as dg

crawl_site = dg.define_asset_job(
    "crawl_site", ["raw_scrapes", "scraped_images"], description="Read a site's listings and fetch its new images."
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
    ["image_features", "price_model", "evaluation_metrics", "leak_report", "outlier_ablation"],
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
    "train_gan", ["gan_checkpoints"], description="Train a price band's generator, or go on training it."
)
price_release = dg.define_asset_job(
    "price_release", ["releases", "release_predictions"], description="Price an announced shoe."
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
    price_release,
)
