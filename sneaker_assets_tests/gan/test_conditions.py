import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.gan.conditions import ConditionError, Conditions

LABELS = pd.DataFrame(
    {"band": ["cheap"] * 8 + ["expensive"] * 2, "colour": ["red"] * 6 + ["blue"] * 2 + ["blue", "grey"]}
)
CONDITIONS = Conditions.of(LABELS)

tables = st.lists(
    st.tuples(st.sampled_from(["cheap", "expensive", "200-500"]), st.sampled_from(["red", "blue", "grey"])), min_size=1
).map(lambda rows: pd.DataFrame(rows, columns=["band", "colour"]))


@given(tables)
def test_every_combination_has_its_own_code_and_drawn_ones_occur(labels: pd.DataFrame) -> None:
    conditions = Conditions.from_json(Conditions.of(labels).to_json())
    assert conditions.counts["images"].sum() == len(labels)
    combinations = conditions.counts.drop(columns="images")
    codes = conditions.encode(combinations)
    assert codes.shape == (len(combinations), conditions.width)
    assert len(torch.unique(codes, dim=0)) == len(combinations)
    assert codes.sum(dim=1).eq(2).all()
    drawn = conditions.draw(50, seed=1)
    assert set(drawn.itertuples(index=False)) <= set(combinations.itertuples(index=False))


def test_labels_are_drawn_as_they_are_distributed() -> None:
    drawn = CONDITIONS.draw(20_000, seed=3)
    shares = drawn.groupby(["band", "colour"]).size() / len(drawn)
    assert shares.to_dict() == pytest.approx(
        {("cheap", "red"): 0.6, ("cheap", "blue"): 0.2, ("expensive", "blue"): 0.1, ("expensive", "grey"): 0.1},
        abs=0.02,
    )
    cheap = CONDITIONS.draw(20_000, seed=3, band="cheap", colour=None)
    assert set(cheap["band"]) == {"cheap"}
    assert (cheap["colour"] == "red").mean() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"colour": "green"},
            r"no training image has the colour 'green': choose one of blue \(3\), grey \(1\), red \(6\)$",
        ),
        (
            {"band": "expensive", "colour": "red"},
            r"of band expensive has the colour 'red': choose one of blue \(1\), grey",
        ),
        ({"size": "9"}, "no condition 'size': it has band, colour"),
    ],
)
def test_conditions_that_no_image_meets_are_refused(wanted: dict[str, str], message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        CONDITIONS.draw(3, seed=0, **wanted)
