import dagster as dg
import pandas as pd
import pytest
from upath import UPath

from sneaker_assets.lake import Lake, read_table, write_table
from sneaker_assets.resources import OPTIONAL_INPUT, PARTIAL_INPUT, LakeIOManager, LakeResource
from sneaker_assets.resources.io_manager import validated
from sneaker_assets_tests.builders import listings, observations


def materialize(lake: Lake, table: pd.DataFrame) -> dg.ExecuteInProcessResult:
    @dg.asset(name="clean_listings")
    def clean_listings() -> pd.DataFrame:
        return table

    return dg.materialize(
        [clean_listings],
        resources={"io_manager": LakeIOManager(lake=LakeResource(root=str(lake.root)))},
        raise_on_error=False,
    )


def test_a_table_that_violates_its_schema_leaves_the_old_one(lake: Lake) -> None:
    assert materialize(lake, listings([100.0, 200.0])).success
    result = materialize(lake, listings([100.0, 200.0]).assign(price=[-1.0, 200.0]))
    assert not result.success
    assert read_table(lake.table("clean_listings"))["price"].tolist() == [100.0, 200.0]


def test_schema_error_names_column_rule_and_value() -> None:
    with pytest.raises(dg.Failure, match=r"raw_scrapes violates its schema.*'currency'.*'DOLLARS'"):
        validated("raw_scrapes", observations({}).assign(currency="DOLLARS"))


def test_tables_are_stored_in_object_stores() -> None:
    lake = Lake.at("memory://bucket")
    assert materialize(lake, listings([100.0])).success
    assert read_table(lake.table("clean_listings"))["price"].tolist() == [100.0]


def loaded(lake: Lake, *, optional: bool, table: pd.DataFrame | None = None) -> dg.ExecuteInProcessResult:
    """Run an asset downstream of ``clean_listings``, which is stored first where a table is given."""
    ins = {"clean_listings": dg.AssetIn(metadata=OPTIONAL_INPUT if optional else {})}

    @dg.asset(ins=ins)
    def rows(clean_listings: pd.DataFrame | None) -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows": -1 if clean_listings is None else len(clean_listings)})

    if table is not None:
        assert materialize(lake, table).success
    return dg.materialize(
        [rows, dg.AssetSpec("clean_listings")],
        resources={"io_manager": LakeIOManager(lake=LakeResource(root=str(lake.root)))},
        raise_on_error=False,
    )


def count(result: dg.ExecuteInProcessResult) -> object:
    (event,) = result.get_asset_materialization_events()
    return event.materialization.metadata["rows"].value


def test_an_optional_input_is_none_until_it_is_materialized(lake: Lake) -> None:
    assert count(loaded(lake, optional=True)) == -1
    assert count(loaded(lake, optional=True, table=listings([100.0]))) == 1


@pytest.mark.parametrize(("metadata", "warned"), [({}, True), (PARTIAL_INPUT, False)])
def test_missing_partitions_are_left_out_with_a_warning_unless_they_may_be_missing(
    lake: Lake, metadata: dict[str, bool], warned: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    partitions = dg.StaticPartitionsDefinition(["vgg16", "efficientnet_lite0"])

    @dg.asset(ins={"clean_listings": dg.AssetIn(metadata=metadata)})
    def rows(clean_listings: pd.DataFrame) -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows": len(clean_listings)})

    write_table(lake.table("clean_listings", "vgg16"), listings([100.0]))
    result = dg.materialize(
        [rows, dg.AssetSpec("clean_listings", partitions_def=partitions)],
        resources={"io_manager": LakeIOManager(lake=LakeResource(root=str(lake.root)))},
    )
    assert count(result) == 1
    expected = "clean_listings is loaded without its partitions efficientnet_lite0: not materialized yet"
    assert (expected in capfd.readouterr().err) is warned


def test_a_missing_required_input_fails_once_and_names_the_asset(lake: Lake) -> None:
    result = loaded(lake, optional=False)
    failures = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    assert "clean_listings is not in the lake yet: materialize it first" in str(failures[0])


def test_folders_of_a_partitioned_asset_are_loaded_by_partition(lake: Lake) -> None:
    letters = dg.StaticPartitionsDefinition(["a", "b"])

    @dg.asset(partitions_def=letters)
    def folder(context: dg.AssetExecutionContext) -> UPath:
        return lake.folder("models", context.partition_key)

    @dg.asset
    def names(folder: dict[str, UPath]) -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows": str({key: path.name for key, path in folder.items()})})

    def run(asset: dg.AssetsDefinition, partition: str | None = None) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [folder, names],
            selection=[asset],
            partition_key=partition,
            resources={"io_manager": LakeIOManager(lake=LakeResource(root=str(lake.root)))},
            raise_on_error=False,
        )

    failures = [event.step_failure_data.error for event in run(names).all_events if event.is_step_failure]
    assert "folder [a, b] is not in the lake yet: materialize it first" in str(failures[0])
    assert run(folder, "b").success
    assert count(run(names)) == "{'b': 'b'}"
