"""The assets of the data set on a temporary instance, above all their checks."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from sneaker_assets.definitions import build_definitions
from sneaker_assets.lake import Lake, read_table, write_table
from sneaker_assets.resources import LakeIOManager, LakeResource, ListingSourceResource
from sneaker_assets_tests.builders import NOON, drawn_shoe, images, observations, store_image

pytestmark = pytest.mark.slow

CHECKS = {
    "amounts_are_converted", "rates_are_recent", "keeps_its_rows", "prices_are_there", "pictures_are_distinct",
    "label_kinds_are_steady", "nothing_disappears", "removes_few", "fence_is_steady", "prices_are_steady",
    "no_group_on_two_sides", "every_side_has_rows", "proportions_hold", "prices_are_alike",
}  # fmt: skip


class DataSet:
    """A lake with scrapes written by the test, and the job that builds its data set."""

    def __init__(self, lake: Lake, instance: dg.DagsterInstance) -> None:
        self.lake, self.instance = lake, instance
        resource = LakeResource(root=str(lake.root))
        self.definitions = build_definitions(
            {
                "lake": resource,
                "io_manager": LakeIOManager(lake=resource),
                "listing_source": ListingSourceResource(source="demo"),
            }
        )
        self.pictures = [store_image(lake, drawn_shoe(number)) for number in range(10)]

    def scrape(self, amounts: Sequence[float | None], **columns: Any) -> None:
        """Write observations: one product per amount, with ten different images."""
        rows = range(len(amounts))
        names = [f"p{i}" for i in rows]
        seen = observations({}).loc[[0] * len(amounts)].reset_index(drop=True)
        made = {"product_id": names, "image_url": names, "amount": pd.array(amounts, dtype="Float64")}
        seen = seen.assign(**(made | columns))
        shown = images({}).loc[[0] * len(amounts)].reset_index(drop=True)
        shown = shown.assign(image_url=names, sha256=[self.pictures[i % 10] for i in rows])
        write_table(self.lake.table("raw_scrapes", "stockx"), seen.astype({"amount": float}))
        write_table(self.lake.table("scraped_images", "stockx"), shown)

    def build(self, job: str = "build_data_set", **settings: dict[str, Any]) -> dg.ExecuteInProcessResult:
        ops = {asset: {"config": config} for asset, config in settings.items()}
        return self.definitions.resolve_job_def(job).execute_in_process(
            run_config={"ops": ops}, instance=self.instance, raise_on_error=False
        )

    def table(self, name: str) -> pd.DataFrame:
        return read_table(self.lake.table(name))


@pytest.fixture
def data_set_of_twenty(lake: Lake) -> Iterator[DataSet]:
    with dg.DagsterInstance.ephemeral() as instance:
        made = DataSet(lake, instance)
        made.scrape([100.0 + 5 * (i % 10) for i in range(20)])
        yield made


@pytest.fixture(scope="module")
def first_build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dg.ExecuteInProcessResult]:
    """A lake with twenty listings, and the result of the run that built them."""
    with dg.DagsterInstance.ephemeral() as instance:
        made = DataSet(Lake.at(tmp_path_factory.mktemp("built") / "lake"), instance)
        made.scrape([100.0 + 5 * (i % 10) for i in range(20)])
        return made.lake, made.build(listings={"max_near_duplicates": 1.0})


@pytest.fixture
def built(first_build: tuple[Lake, dg.ExecuteInProcessResult], lake: Lake) -> Iterator[DataSet]:
    """A copy of that lake."""
    shutil.copytree(str(first_build[0].root), str(lake.root), dirs_exist_ok=True)
    with dg.DagsterInstance.ephemeral() as instance:
        yield DataSet(lake, instance)


def failed(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    return {
        evaluation.check_name: evaluation.severity.value
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed
    }


def test_every_data_set_check_is_evaluated(first_build: tuple[Lake, dg.ExecuteInProcessResult]) -> None:
    assert {evaluation.check_name for evaluation in first_build[1].get_asset_check_evaluations()} == CHECKS


def test_failed_blocking_check_keeps_the_old_file_and_stops_downstream_assets(built: DataSet) -> None:
    made = built
    before = made.lake.table("listings").read_bytes(), made.lake.table("clean_listings").read_bytes()
    made.scrape([100.0] * 4)
    second = made.build()
    assert not second.success
    assert failed(second)["keeps_its_rows"] == "ERROR"
    message = next(e.step_failure_data.user_failure_data for e in second.all_events if e.is_step_failure)
    assert message is not None
    assert "the new table was not written and the old one is kept" in str(message.description)
    assert "'share_lost': 0.8" in str(message.description)
    assert (made.lake.table("listings").read_bytes(), made.lake.table("clean_listings").read_bytes()) == before


def test_rebuild_decodes_only_new_images_and_reports_removed_rows(built: DataSet) -> None:
    made = built
    made.lake.image(made.pictures[0]).unlink()
    made.pictures[0] = made.pictures[1]
    made.scrape([100.0 + i for i in range(18)] + [1e6, None], observed_at=NOON + timedelta(days=1))
    result = made.build(listings={"max_lost": 1.0})
    new = [
        event.materialization.metadata["new_images"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("image_properties")
    ]
    assert new == [0]
    assert len(made.table("image_properties")) == 10
    assert sorted(made.table("removed_listings")["reason"]) == ["above_fence", "no_price"]
    assert made.table("price_fences")["above"].tolist() == [1]


def test_failed_warning_check_does_not_stop_the_run(built: DataSet) -> None:
    made = built
    made.scrape([300.0 + 50 * (i % 10) for i in range(20)], label_kind="lowest_ask")
    second = made.build(listings={"max_near_duplicates": 1.0})
    assert made.table("clean_listings")["price"].min() == 300.0
    severities = failed(second)
    assert {severities[name] for name in ("label_kinds_are_steady", "fence_is_steady", "prices_are_steady")} == {"WARN"}


def test_few_error_rows_warn_and_many_fail(data_set_of_twenty: DataSet) -> None:
    made = data_set_of_twenty
    made.scrape([100.0] * 20, currency=["XTS"] + ["EUR"] * 19)
    assert failed(made.build())["amounts_are_converted"] == "WARN"
    assert made.table("price_observations")["problem"].notna().sum() == 1
    assert made.table("listings")["price"].isna().sum() == 1
    made.scrape([100.0] * 20, currency="XTS")
    result = made.build()
    assert failed(result)["amounts_are_converted"] == "ERROR"
    assert made.table("price_observations")["problem"].notna().sum() == 1


def test_placeholder_pictures_are_reported_and_not_learned_from(data_set_of_twenty: DataSet) -> None:
    made = data_set_of_twenty
    titles = [title for name in ("Dunk Low Panda", "Yeezy Boost Zebra") for title in (name, *["Shoe"] * 9)]
    made.scrape([100.0] * 10 + [300.0] * 10, title=titles)
    result = made.build(clean_listings={"placeholder_min_products": 2})
    removed = made.table("removed_listings")
    assert removed[["product_id", "reason"]].to_numpy().tolist() == [[p, "placeholder_picture"] for p in ("p0", "p10")]
    assert set(removed["sha256"]).isdisjoint(made.table("splits")["sha256"])
    (event,) = result.asset_materializations_for_node("clean_listings")[:1]
    assert event.metadata["placeholder_pictures"].value == 2


def test_single_near_duplicate_group_cannot_be_split(data_set_of_twenty: DataSet) -> None:
    made = data_set_of_twenty
    made.pictures = made.pictures[:1] * 10
    made.scrape([100.0 + i for i in range(20)])
    result = made.build()
    assert failed(result)["every_side_has_rows"] == "ERROR"
    assert not made.lake.table("splits").exists()
    assert len(set(made.table("clean_listings")["twin_group"])) == 1


def test_data_set_without_any_price_fails_with_the_reason(data_set_of_twenty: DataSet) -> None:
    made = data_set_of_twenty
    made.scrape([None] * 20)
    assert failed(made.build())["prices_are_there"] == "ERROR"
    assert not made.lake.table("listings").exists()


def test_used_shoes_are_counted_and_do_not_fail_the_cleaning(data_set_of_twenty: DataSet) -> None:
    made = data_set_of_twenty
    made.scrape([100.0 + 5 * (i % 10) for i in range(20)], condition=["used"] * 8 + ["new"] * 12)
    result = made.build(listings={"max_near_duplicates": 1.0})
    assert "removes_few" not in failed(result)
    assert made.table("removed_listings")["reason"].tolist() == ["used_condition"] * 8
    (event,) = result.asset_materializations_for_node("clean_listings")[:1]
    assert event.metadata["used_or_defective"].value == 8
    kept = made.build(listings={"max_near_duplicates": 1.0}, clean_listings={"learn_from_used": True})
    assert kept.success
    assert len(made.table("clean_listings")) == 20


def test_shoes_are_joined_and_kept_on_one_side(data_set_of_twenty: DataSet) -> None:
    made = data_set_of_twenty
    codes = ["DD1391-100" if i % 10 < 5 else None for i in range(20)]
    made.scrape([100.0 + 5 * (i % 10) for i in range(20)], style_code=codes)
    shares = {"train": 0.4, "validation": 0.3, "test": 0.3}
    result = made.build(listings={"max_near_duplicates": 1.0}, splits=shares)
    assert result.success
    shoes = made.table("shoes")
    assert shoes[["shoe", "n_products", "n_pictures"]].values.tolist()[0] == ["DD1391100", 10, 5]
    splits = made.table("splits")
    assert splits["shoe"].tolist() == made.table("listings")["shoe"].tolist()
    assert splits.groupby("shoe")["split"].nunique().max() == 1
    (event,) = result.asset_materializations_for_node("splits")
    assert event.metadata["moved_by_shoes"].value != 0
    assert event.metadata["shoes_on_two_sides_by_picture_alone"].value == 1


def test_price_history_needs_no_pictures(data_set_of_twenty: DataSet) -> None:
    made = data_set_of_twenty
    made.scrape([100.0] * 18 + [None] * 2, image_url="", size="9")
    write_table(made.lake.table("scraped_images", "stockx"), images({}).head(0))
    result = made.build("build_price_history")
    assert result.success
    assert made.table("price_trends")["n_products"].tolist() == [18, 18]
    assert (made.lake.folder("figures", "price_trends") / "price_trends.png").exists()


def test_data_set_without_pictures_fails_once_with_what_is_there_and_what_to_add(data_set_of_twenty: DataSet) -> None:
    made = data_set_of_twenty
    made.scrape([100.0] * 18 + [None] * 2, image_url="", size="9")
    write_table(made.lake.table("scraped_images", "stockx"), images({}).head(0))
    with pytest.raises(dg.Failure, match="18 products have prices, but none of them has a picture") as failure:
        made.definitions.resolve_job_def("build_data_set").execute_in_process(instance=made.instance)
    assert not failure.value.allow_retries
    assert not made.build().success
    assert len(made.table("price_observations")) == 20
    assert made.lake.table("price_trends").exists()
    assert not made.lake.table("listings").exists()
