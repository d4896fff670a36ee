"""The whole graph on published data: results, and duration of each stage.

VGG16 with random weights and efficientnet_lite0 with its packaged ones are evaluated on test rows without duplicates
in train, and compared with the mean of the training prices. Claims: all rows of the CSV are read, peak memory is below
4 GB, and the better model is better than the mean.

    python benchmarks/real_input.py --archive FOLDER
"""

import os
import resource
import tempfile
from pathlib import Path

import dagster as dg
import pandas as pd
from report import arguments, conclude, table

from sneaker_assets.cli.pipeline import Outcome, Stage, run_stage
from sneaker_assets.lake import Lake, read_table

MAX_GIGABYTES = 4.0
BACKBONES = {"vgg16": "none", "efficientnet_lite0": "imagenet"}
GAN = {"epochs": 3, "generator_width": 16, "discriminator_width": 16}


def main() -> None:
    """Prepare the environment and run all stages on the archive."""
    options = arguments(__doc__, archive=True)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch, "home")
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        os.environ |= {
            "DAGSTER_HOME": str(home),
            "SNEAKER_SOURCE": "archive",
            "SNEAKER_ARCHIVE": str(options.archive),
            "SNEAKER_LAKE": str(Path(scratch, "lake")),
        }
        measure(Path(scratch, "lake"), options.archive)


def measure(lake_folder: Path, archive: Path) -> None:
    """Run the stages and report."""
    stages = [Stage("crawl_site", "farfetch"), Stage("crawl_site", "stockx"), Stage("build_data_set")]
    stages += [
        Stage("train_price_model", name, {"image_features": {"weights": weights}})
        for name, weights in BACKBONES.items()
    ]
    stages += [
        Stage("rank_models"),
        *(Stage("train_gan", band, {"gan_checkpoints": GAN}) for band in ("cheap", "expensive")),
    ]
    outcomes: list[Outcome] = []
    with dg.DagsterInstance.get() as instance:
        for stage in stages:
            outcomes.append(run_stage(stage, instance))
            print(f"{stage}: {outcomes[-1].seconds:.1f} s", flush=True)

    lake = Lake.at(lake_folder)
    listings, clean, splits = (read_table(lake.table(name)) for name in ("listings", "clean_listings", "splits"))
    rows = sum(len(read_table(lake.table("raw_scrapes", site))) for site in ("stockx", "farfetch"))
    metadata = {name: entry for outcome in outcomes for name, entry in outcome.metadata.items()}["clean_listings"]
    print()
    table(
        [
            {"what": "rows read", "value": f"{rows:,}"},
            {"what": "rows without an image", "value": f"{rows - len(listings):,}"},
            {"what": "upper fence", "value": f"${metadata['upper_fence']:,.2f}"},
            {"what": "outliers removed", "value": f"{metadata['outliers_removed']:,}"},
            {"what": "clean listings", "value": f"{len(clean):,}"},
            {"what": "distinct images of clean listings", "value": f"{clean['sha256'].nunique():,}"},
            {
                "what": "clean listings that share their image with another",
                "value": f"{clean['sha256'].duplicated(keep=False).sum():,}",
            },
            {
                "what": "split sizes",
                "value": ", ".join(f"{k} {v:,}" for k, v in splits["split"].value_counts().items()),
            },
        ]
    )
    print()
    metrics = pd.concat([read_table(lake.table("evaluation_metrics", name)) for name in BACKBONES])
    shown = ["backbone", "predictor", "split", "n", "mse", "rmse", "mae", "mape", "r2"]
    table(metrics.loc[(metrics["split"] == "test") & (metrics["group"] == "all"), shown].to_dict("records"))
    print()

    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    test = metrics[(metrics["split"] == "test") & (metrics["group"] == "all")].set_index(["backbone", "predictor"])[
        "rmse"
    ]
    best, mean = test.xs("model", level="predictor").min(), test["efficientnet_lite0", "mean"]
    in_csv = len(pd.read_csv(archive / "listings.csv"))
    conclude(
        "real_input",
        ours=float(best),
        baseline=float(mean),
        unit="test RMSE, US dollars",
        claim=f"all rows read, peak memory below {MAX_GIGABYTES:g} GB, better than the mean",
        holds=bool(rows == in_csv and gigabytes < MAX_GIGABYTES and best < mean),
        rows=rows,
        peak_gigabytes=round(gigabytes, 2),
        seconds={str(outcome.stage): round(outcome.seconds, 1) for outcome in outcomes},
    )


if __name__ == "__main__":
    main()
