"""The whole graph on a temporary instance: a small offline shop from its first crawl to priced releases."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import torch
from PIL import Image
from upath import UPath

from sneaker_assets import tables
from sneaker_assets.assets.partitions import SITES, release_partitions
from sneaker_assets.definitions import build_definitions
from sneaker_assets.lake import Lake, read_json, read_table, write_table
from sneaker_assets.market.releases import announcements
from sneaker_assets.near_duplicates.image_properties import describe_images
from sneaker_assets.resources import LakeIOManager, LakeResource, ListingSourceResource
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.pricing.price_model import PriceModel, price_images
from sneaker_assets_tests.tracking.conftest import client_of

pytestmark = pytest.mark.slow

BACKBONE = "resnet18"
RUNS: list[tuple[str, str | None, dict[str, Any]]] = [
    ("crawl_site", "stockx", {}),
    ("crawl_site", "farfetch", {}),
    ("build_data_set", None, {}),
    ("train_price_model", BACKBONE, {
        "price_model": {"config": {"epochs": 5}}, "evaluation_metrics": {"config": {"n_explained": 1}}}),
    ("rank_models", None, {}),
    ("train_gan", "cheap", {"gan_checkpoints": {"config": {
        "epochs": 1, "generator_width": 4, "discriminator_width": 4, "batch_size": 8}}}),
    ("compare_bands", None, {}),
]  # fmt: skip


class Project:
    """The definitions with their own lake and instance."""

    def __init__(self, lake: Path, instance: dg.DagsterInstance) -> None:
        resource = LakeResource(root=str(lake))
        self.lake, self.instance = Lake.at(lake), instance
        self.first: dict[str, dg.ExecuteInProcessResult] = {}
        self.definitions = build_definitions(
            {
                "lake": resource,
                "io_manager": LakeIOManager(lake=resource),
                "listing_source": ListingSourceResource(source="demo", demo_products=80),
            }
        )

    def run(
        self, job: str, partition: str | None = None, ops: dict[str, Any] | None = None
    ) -> dg.ExecuteInProcessResult:
        return self.definitions.resolve_job_def(job).execute_in_process(
            partition_key=partition, run_config={"ops": ops or {}}, instance=self.instance
        )

    def materialize(
        self, asset: str, partition: str | None = None, config: dict[str, Any] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Materialize a single asset."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            asset_selection=[dg.AssetKey(asset)], partition_key=partition, instance=self.instance,
            run_config={"ops": {asset: {"config": config}}} if config else None,
        )  # fmt: skip

    def table(self, asset: str, partition: str | None = None) -> pd.DataFrame:
        return tables.SCHEMAS[asset].validate(read_table(self.lake.table(asset, partition)))


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.asset_key.to_user_string(): {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(tmp_path_factory.mktemp("lake"), instance)
        project.first = {job: project.run(job, partition, ops) for job, partition, ops in RUNS}
        yield project


def test_every_listing_has_a_price_history_and_an_image_in_the_lake(project: Project) -> None:
    listings = project.table("listings")
    assert set(listings["site"]) == {"stockx", "farfetch"}
    assert len(listings) == 80
    assert all(project.lake.image(sha256).exists() for sha256 in listings["sha256"])
    seen = pd.concat([project.table("raw_scrapes", site) for site in ("stockx", "farfetch")])
    assert set(seen["product_id"]) == set(listings["product_id"])


def test_clean_listings_are_inside_the_fence_and_groups_on_one_side(project: Project) -> None:
    listings, clean, splits = (project.table(asset) for asset in ("listings", "clean_listings", "splits"))
    q1, q3 = listings["price"].dropna().quantile([0.25, 0.75])
    assert clean["price"].max() <= q3 + 1.5 * (q3 - q1)
    assert len(splits) == len(clean)
    assert splits.groupby("twin_group")["split"].nunique().max() == 1


def test_leaderboard_names_a_champion_that_exists(project: Project) -> None:
    board = project.table("model_leaderboard")
    assert board["backbone"].tolist() == [BACKBONE]
    assert (project.lake.root / board["model"].iloc[0] / "model.safetensors").exists()
    assert board["weights"].iloc[0].startswith("random")


def test_single_model_is_no_ensemble(project: Project) -> None:
    made = metadata(project.first["rank_models"])
    assert UPath(made["ensemble_price_model"]["folder"]).parent.name == BACKBONE
    assert made["ensemble_price_model"]["note"].startswith("there is no ensemble")
    assert project.table("ensemble_evaluation").empty
    checks = project.first["rank_models"].get_asset_check_evaluations()
    assert [check.passed for check in checks] == [True] * 4


def test_second_pass_recomputes_nothing(project: Project) -> None:
    crawl = metadata(project.run("crawl_site", "stockx"))
    assert (crawl["raw_scrapes"]["new_products"], crawl["scraped_images"]["new_images"]) == (0, 0)
    project.run("build_data_set")
    trained = metadata(project.run("train_price_model", BACKBONE, RUNS[3][2]))
    assert (trained["image_features"]["new_images"], trained["price_model"]["trained_now"]) == (0, False)
    drawn = metadata(project.run("train_gan", "cheap", RUNS[5][2]))
    assert drawn["gan_checkpoints"]["epochs_trained_now"] == 0
    assert len(project.table("listings")) == 80
    seen = project.table("raw_scrapes", "stockx")
    assert seen.groupby(["product_id", "label_kind", "size"], dropna=False)["observed_at"].nunique().eq(2).all()


def test_checks_run_and_event_log_entries_are_small(project: Project) -> None:
    result = project.first["train_price_model"]
    checks = {evaluation.check_name for evaluation in result.get_asset_check_evaluations()}
    assert checks == {"beats_the_mean", "no_leak", "coverage", "coverage_by_predicted_price", "near_the_champion"}
    for name, entries in metadata(result).items():
        for value in entries.values():
            assert len(str(value)) < 30_000, name


def test_sensor_requests_each_release_once_and_it_is_priced(project: Project) -> None:
    sensor = project.definitions.resolve_sensor_def("new_releases")

    def tick() -> dg.SensorResult:
        resources = {"listing_source": ListingSourceResource(source="demo", demo_products=80)}
        context = dg.build_sensor_context(
            instance=project.instance, resources={**resources, "lake": LakeResource(root=str(project.lake.root))}
        )
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        return result

    first = tick()
    assert first.dynamic_partitions_requests
    keys = list(first.dynamic_partitions_requests[0].partition_keys)
    project.instance.add_dynamic_partitions(release_partitions.name or "", keys)
    second = tick()
    assert not second.dynamic_partitions_requests
    assert [r.run_key for r in second.run_requests or []] == [r.run_key for r in first.run_requests or []]
    project.run("price_release", keys[0])
    priced = project.table("release_predictions", keys[0])
    assert priced["predicted_price"].notna().all()
    assert priced["model"].tolist() == project.table("model_leaderboard")["model"].tolist()


@pytest.fixture(scope="module")
def release(project: Project) -> str:
    """Partition key of an announced shoe that has been priced."""
    with ListingSourceResource(source="demo", demo_products=80).open(project.lake) as source:
        announced = announcements(source.releases("stockx"))
    key = str(announced["release"].iloc[0])
    project.instance.add_dynamic_partitions(release_partitions.name or "", [key])
    project.run("price_release", key)
    return key


def test_release_prediction_has_interval_profit_similar_shoes_and_figure(project: Project, release: str) -> None:
    shoe = project.table("release_predictions", release).iloc[0]
    assert shoe["price_low"] < shoe["predicted_price"] < shoe["price_high"]
    assert shoe["net_profit"] == pytest.approx(
        shoe["predicted_price"] - shoe["selling_costs"] - shoe["retail_price"], abs=0.01
    )
    similar = json.loads(shoe["similar"])
    listings = project.table("clean_listings").set_index("product_id")
    assert [listings.loc[one["product_id"], "price"] for one in similar] == [one["price"] for one in similar]
    assert len(similar) == 5
    assert (project.lake.folder("figures", "release_predictions") / f"{release}.png").exists()


def test_selling_costs_are_configurable_per_site(project: Project, release: str) -> None:
    costs = {release.split("--", maxsplit=1)[0]: {"commission": 0.5, "payment": 0.0, "shipping": 10.0}}
    project.materialize("release_predictions", release, {"selling_costs": costs})
    shoe = project.table("release_predictions", release).iloc[0]
    assert shoe["selling_costs"] == pytest.approx(0.5 * shoe["predicted_price"] + 10)


def test_backtest_pairs_predictions_with_later_prices(project: Project, release: str) -> None:
    predicted = project.table("release_predictions", release).iloc[0]
    history = project.table("price_observations")
    path = project.lake.table("price_observations")
    later = predicted["predicted_at"] + timedelta(days=20)
    seen = history[history["price"].notna()].head(1).assign(
        site=predicted["site"], product_id=predicted["product_id"], observed_at=later, size=None, price=321.0,
        label_kind="average_sale",
    )  # fmt: skip
    write_table(path, pd.concat([history, seen], ignore_index=True))
    result = project.materialize("prediction_backtest")
    write_table(path, history)
    paired = project.table("prediction_backtest")
    assert paired[["release", "price"]].values.tolist() == [[release, 321.0]]
    assert paired["horizon"].iloc[0] == pytest.approx(20)
    assert paired["predicted_price"].iloc[0] == predicted["predicted_price"]
    assert {check.check_name for check in result.get_asset_check_evaluations()} == {"intervals_hold", "no_drift"}
    assert project.materialize("prediction_backtest").success
    assert project.table("prediction_backtest").empty


def test_replay_covers_the_releases_of_the_offline_shop(project: Project) -> None:
    project.materialize("release_replay", BACKBONE, {"n_shop_releases": 12})
    table = project.table("release_replay", BACKBONE)
    assert 9 <= len(table) <= 12
    assert table["horizon"].between(15, 30).all()
    assert (project.lake.folder("figures", "release_replay", BACKBONE) / "backtest.png").exists()


def test_champion_can_be_chosen_by_hand_but_not_restored_without_a_predecessor(project: Project) -> None:
    model = project.table("model_leaderboard")["model"].iloc[0]
    project.materialize("model_leaderboard", config={"champion": model})
    assert project.table("model_leaderboard")["champion"].tolist() == [True]
    with pytest.raises(ValueError, match="no champion has been replaced yet: there is none to restore"):
        project.materialize("model_leaderboard", config={"champion": "previous"})


def test_withdrawn_release_fails_with_its_name(project: Project) -> None:
    project.instance.add_dynamic_partitions(release_partitions.name or "", ["stockx--never-announced"])
    with pytest.raises(LookupError, match="stockx--never-announced is no longer announced"):
        project.run("price_release", "stockx--never-announced")


def test_release_with_a_placeholder_picture_is_not_priced(project: Project, release: str) -> None:
    removed, properties = project.table("removed_listings"), project.table("image_properties")
    shown = project.table("releases", release)["sha256"].iloc[0]
    listing = project.table("listings").head(1).assign(sha256=shown, reason="placeholder_picture", limit=None)
    known = describe_images(project.lake, pd.DataFrame({"sha256": [shown], "first_seen": [pd.Timestamp.now("UTC")]}))
    write_table(project.lake.table("removed_listings"), tables.RemovedListings.validate(listing))
    write_table(project.lake.table("image_properties"), known)
    try:
        with pytest.raises(dg.Failure, match=f"{release} is announced with a placeholder picture") as failed:
            project.materialize("release_predictions", release)
        assert not failed.value.allow_retries
    finally:
        write_table(project.lake.table("removed_listings"), removed)
        write_table(project.lake.table("image_properties"), properties)


def test_missing_input_error_says_what_to_materialize(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(tmp_path, instance)
        with pytest.raises(
            dg.Failure, match=rf"raw_scrapes \[{', '.join(SITES)}\] is not in the lake yet: materialize it"
        ):
            project.run("build_data_set")


def test_pretrained_backbone_is_trained_with_the_default_recipe(project: Project) -> None:
    trained = metadata(project.run("train_price_model", "efficientnet_lite0"))
    assert trained["image_features"]["weights"] == "ImageNet (packaged)"
    config = read_json(UPath(trained["price_model"]["folder"]) / "config.json")
    assert (config["features"]["frame"], config["features"]["keep"]) == ([160, 384], "grid")
    assert (config["head"]["kind"], config["views"]) == ("kernel_ridge", ["plain", "mirrored"])


def test_head_of_the_article_follows_its_features(project: Project) -> None:
    config = {"image_features": {"config": {"recipe": "article"}}, "price_model": {"config": {"epochs": 1}}}
    chosen = [dg.AssetKey("image_features"), dg.AssetKey("price_model")]
    job = project.definitions.resolve_job_def("train_price_model")
    result = job.execute_in_process(
        partition_key=BACKBONE, run_config={"ops": config}, instance=project.instance, asset_selection=chosen
    )
    model = read_json(UPath(metadata(result)["price_model"]["folder"]) / "config.json")
    assert (model["features"]["frame"], model["features"]["fit"]) == ([224, 336], "squash")
    assert (model["head"]["kind"], model["head"]["epochs"]) == ("article", 1)


def test_tuned_model_uses_the_best_trial(project: Project) -> None:
    few = {"tuned_hyperparameters": {"config": {"network_trials": 3, "kernel_trials": 2, "epochs": 2}}}
    payload = metadata(project.run("tune_price_model", BACKBONE, few))["tuned_hyperparameters"]
    trials = project.table("tuned_hyperparameters", BACKBONE)
    assert len(trials) == payload["trials"] == 5
    tuned = metadata(project.run("train_price_model", BACKBONE, {"price_model": {"config": {"tuned": True}}}))
    head = read_json(UPath(tuned["price_model"]["folder"]) / "config.json")["head"]
    chosen = trials[trials["chosen"]].iloc[0]
    assert head["kind"] == chosen["kind"]
    assert head["learning_rate" if head["kind"] == "pooled" else "alpha"] == pytest.approx(
        chosen["learning_rate" if head["kind"] == "pooled" else "alpha"]
    )


def test_model_fine_tuned_by_two_processes_is_evaluated_ranked_and_exported(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path))
    config = {
        "unfreeze_from": "layer4.1", "height": 64, "width": 96, "copies": 1, "epochs": 1, "hidden": 16, "processes": 2,
    }  # fmt: skip
    payload = metadata(project.run("finetune_price_model", BACKBONE, {"finetuned_price_model": {"config": config}}))
    model = PriceModel.load(UPath(payload["finetuned_price_model"]["folder"]))
    assert payload["finetuned_price_model"]["trained_now"]
    run = client_of(str(tmp_path)).get_run(payload["finetuned_price_model"]["mlflow_run"])
    assert {"finetuning.unfreeze_from": "layer4.1", "features.backbone": BACKBONE}.items() <= run.data.params.items()
    assert {"train_mse", "validation_mse", "best_epoch"} <= run.data.metrics.keys()
    assert 0 <= payload["finetuned_price_model"]["network_share"] <= 1
    assert model.weights == WeightsSource("random", fine_tuned_from="layer4.1")
    splits = project.table("splits")
    store = FeatureStore.open(project.lake.folder("features", BACKBONE, model.config["features"]["store"]))
    hashes = splits["sha256"].head(3).tolist()
    kept = model.price(store.gather_views(hashes))
    fresh = price_images(model, [project.lake.image(sha256) for sha256 in hashes], None, torch.device("cpu"))
    assert fresh == pytest.approx(kept, rel=0.02)
    again = metadata(project.run("finetune_price_model", BACKBONE, {"finetuned_price_model": {"config": config}}))
    assert not again["finetuned_price_model"]["trained_now"]
    ranked = metadata(project.run("rank_models"))["model_leaderboard"]
    board = project.table("model_leaderboard")
    tuned = board["weights"].str.contains("fine-tuned") & (board["backbone"] == BACKBONE)
    assert tuned.sum() == 1
    finetuned = board[tuned].iloc[0]
    assert finetuned["test_rmse_low"] <= finetuned["test_rmse"] <= finetuned["test_rmse_high"]
    assert board[["training_seconds", "images_per_second"]].gt(0).all(axis=None)
    assert finetuned["parameters"] > 11e6
    assert "fine-tuned from layer4.1" in Path(ranked["page"]).read_text()
    chosen = {"exported_model": {"config": {"model": finetuned["model"], "n_images": 2}}}
    exported = metadata(project.run("export_model", BACKBONE, chosen))["exported_model"]
    assert exported["max_relative_difference_model.onnx"] < 1e-3
    with pytest.raises(dg.Failure, match=r"there is no model \S+models/none: use a path from model_leaderboard"):
        project.run("export_model", BACKBONE, {"exported_model": {"config": {"model": "models/none"}}})


def test_residual_attributes_have_a_table_and_figures(project: Project) -> None:
    config = {"residual_attributes": {"config": {"n_averaged": 2}}}
    payload = metadata(project.run("explain_price_model", BACKBONE, config))["residual_attributes"]
    table = project.table("residual_attributes", BACKBONE)
    assert set(table["backbone"]) <= {BACKBONE}
    with Image.open(payload["typical_heat_maps_file"]) as drawn:
        assert len(drawn.convert("RGB").getcolors(1 << 24) or []) > 100


def test_ensemble_is_trained_once_evaluated_ranked_and_exported(project: Project) -> None:
    small = {"weights": "local", "height": 64, "width": 96}
    project.materialize("image_features", "efficientnet_lite0", small)
    for backbone in (BACKBONE, "efficientnet_lite0"):
        project.materialize("price_model", backbone, {"kind": "ridge"})
    any_gain = {"ensemble_price_model": {"config": {"min_share": 0.0, "min_gain": 0.0}}}
    first, again = (metadata(project.run("rank_models", ops=any_gain)) for _ in range(2))
    assert not again["ensemble_price_model"]["trained_now"]
    assert first["ensemble_price_model"]["members"] >= 2
    name = UPath(first["ensemble_price_model"]["folder"]).relative_to(project.lake.root).as_posix()
    ensemble = project.table("model_leaderboard").set_index("model").loc[name]
    assert ensemble["backbone"] == "ensemble"
    assert ensemble["validation_rmse"] == pytest.approx(first["ensemble_price_model"]["validation_rmse"])
    table = project.table("ensemble_evaluation")
    assert set(table["model"]) == {name}
    chosen = {"exported_model": {"config": {"model": name, "n_images": 2}}}
    exported = metadata(project.run("export_model", BACKBONE, chosen))["exported_model"]
    assert exported["max_relative_difference_model.onnx"] < 1e-3
    assert exported["pixels_1"].startswith("uint8 [n, ")
    explained = {"residual_attributes": {"config": {"model": name, "n_averaged": 1}}}
    project.run("explain_price_model", BACKBONE, explained)
    assert set(project.table("residual_attributes", BACKBONE)["backbone"]) <= {"ensemble"}
    splits = project.table("splits")
    write_table(project.lake.table("splits"), splits.assign(price=splits["price"] + 1))
    kept = metadata(project.materialize("ensemble_price_model"))["ensemble_price_model"]
    write_table(project.lake.table("splits"), splits)
    assert kept["folder"] == first["ensemble_price_model"]["folder"]
    assert f"trained on other rows: materialize price_model [{BACKBONE}] again" in kept["left_out"]
