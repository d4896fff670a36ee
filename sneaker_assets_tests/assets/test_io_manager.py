import dagster as dg
import pandas as pd
import pytest

from sneaker_assets.lake import Lake, read_table
from sneaker_assets.resources import LakeIOManager, LakeResource
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


def test_a_table_that_breaks_its_schema_leaves_the_old_one(lake: Lake) -> None:
    assert materialize(lake, listings([100.0, 200.0])).success
    result = materialize(lake, listings([100.0, 200.0]).assign(price=[-1.0, 200.0]))
    assert not result.success
    assert read_table(lake.table("clean_listings"))["price"].tolist() == [100.0, 200.0]


def test_the_message_names_column_rule_and_value() -> None:
    with pytest.raises(dg.Failure, match=r"raw_scrapes breaks its schema.*'currency'.*'DOLLARS'"):
        validated("raw_scrapes", observations({}).assign(currency="DOLLARS"))


def test_a_lake_in_a_bucket_serves_as_well() -> None:
    lake = Lake.at("memory://bucket")
    assert materialize(lake, listings([100.0])).success
    assert read_table(lake.table("clean_listings"))["price"].tolist() == [100.0]
