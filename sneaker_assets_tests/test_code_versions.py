"""Versions of the code, and the names under which results are stored."""

import ast
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sneaker_assets import code_versions
from sneaker_assets.assets.export import export_name
from sneaker_assets.assets.tuning import journal_name
from sneaker_assets.gan.run import run_name
from sneaker_assets.gan.settings import RECIPES
from sneaker_assets.lake import Lake
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.finetuning.model import model_name
from sneaker_assets.vision.pricing.ensemble import name_ensemble
from sneaker_assets.vision.pricing.training import fingerprint
from sneaker_assets.vision.settings import EnsembleSettings, FinetuneSettings, TuningSettings

SPLITS = pd.DataFrame(
    {
        "site": "stockx",
        "product_id": ["a", "b"],
        "sha256": ["0" * 64, "1" * 64],
        "price": [100.0, 200.0],
        "split": ["train", "test"],
    }
)
FINETUNING, TUNING = FinetuneSettings(unfreeze_from="features.14"), TuningSettings(epochs=5, patience=2, seed=1)
NAMES: dict[str, Callable[[FeatureStore], str]] = {
    "GAN": lambda _store: run_name(np.zeros((2, 8, 8, 3), np.uint8), RECIPES["article"]),
    "FINETUNING": lambda store: model_name(store, SPLITS, FINETUNING),
    "TUNING": lambda store: journal_name(store, SPLITS, TUNING),
    "ENSEMBLE": lambda _store: name_ensemble([], SPLITS, EnsembleSettings()),
    "EXPORT": lambda _store: export_name("0123456789ab"),
}


@pytest.fixture
def store(lake: Lake) -> FeatureStore:
    return FeatureStore.create(lake.folder("features"), {"backbone": "vgg16", "weights": "none"})


def test_every_version_is_described() -> None:
    body = ast.parse(Path(code_versions.__file__).read_text(encoding="utf-8")).body
    for constant, description in pairwise(body):
        if isinstance(constant, ast.Assign):
            assert isinstance(description, ast.Expr), ast.unparse(constant)


@pytest.mark.parametrize("constant", NAMES)
def test_raised_version_gives_a_result_another_name(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch, constant: str
) -> None:
    name = NAMES[constant]
    monkeypatch.setattr(code_versions, constant, "1")
    names = {name(store)}
    for version in ("2", "3"):
        monkeypatch.setattr(code_versions, constant, version)
        names.add(name(store))
    assert len(names) == 3


def test_first_version_keeps_the_names_of_earlier_results(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for constant in NAMES:
        monkeypatch.setattr(code_versions, constant, "1")
    shaped = FINETUNING.model_dump(exclude={"micro_batch"})
    assert {constant: name(store) for constant, name in NAMES.items()} == {
        "GAN": "6342dd5286d79056",
        "FINETUNING": fingerprint(store, SPLITS, {"finetune": shaped}),
        "TUNING": fingerprint(store, SPLITS, {"epochs": 5, "patience": 2, "seed": 1}) + ".journal",
        "ENSEMBLE": "8eb93b6fc174",
        "EXPORT": "0123456789ab",
    }
