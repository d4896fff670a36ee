"""Settings of the domain and the Dagster configs that are derived from them."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, get_args

import dagster as dg
import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from sneaker_assets import assets
from sneaker_assets.assets.features import FeatureConfig
from sneaker_assets.assets.gan import GanTrainingConfig
from sneaker_assets.assets.price_model import PriceModelConfig
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.gan.run import run_name
from sneaker_assets.gan.settings import RECIPES, GanSettings
from sneaker_assets.market.cleaning import CleaningSettings
from sneaker_assets.market.fees import Fees
from sneaker_assets.market.splits import SplitSettings
from sneaker_assets.near_duplicates.grouping import NearDuplicateSettings
from sneaker_assets.near_duplicates.image_properties import ImagePropertySettings
from sneaker_assets.settings.automation import AutomationSettings
from sneaker_assets.settings.model import SettingsModel
from sneaker_assets.vision.backbones.weights_source import WeightsKind, WeightsSource
from sneaker_assets.vision.recipes import RecipeName
from sneaker_assets.vision.settings import (
    FeatureSettings,
    FinetuneSettings,
    HeadSettings,
    TuningSettings,
    WeightsSettings,
)

DOMAIN: tuple[type[SettingsModel], ...] = (
    FeatureSettings, HeadSettings, TuningSettings, FinetuneSettings, GanSettings, CleaningSettings, SplitSettings,
    NearDuplicateSettings, ImagePropertySettings, FetchSettings, Fees, AutomationSettings,
)  # fmt: skip
FIELDS = [pytest.param(model, name, id=f"{model.__name__}.{name}") for model in DOMAIN for name in model.model_fields]


def config_classes() -> Iterator[type[dg.Config]]:
    for module in iter_modules(assets.__path__, f"{assets.__name__}."):
        if not module.name.endswith("worker"):
            for found in vars(import_module(module.name)).values():
                if isinstance(found, type) and issubclass(found, dg.Config) and found.__module__ == module.name:
                    yield found


CONFIGS = {config.__name__: config for config in config_classes()}


def manifest(kind: WeightsKind, features: FeatureSettings) -> dict[str, Any]:
    """The manifest of a feature store as far as recipes read it."""
    return {"weights": WeightsSource(kind).as_dict(), "keep": features.keep}


def bounds(field: FieldInfo) -> list[Any]:
    return [bound for bound in field.metadata if isinstance(bound, Gt | Ge | Lt | Le)]


def out_of_bounds(bound: Any) -> float:
    """A value that violates a bound."""
    step = -1 if isinstance(bound, Gt | Ge) else 1
    return float(getattr(bound, type(bound).__name__.lower())) + step


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_field_is_described(model: type[BaseModel], name: str) -> None:
    assert model.model_fields[name].description


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_value_of_the_wrong_type_is_rejected(model: type[BaseModel], name: str) -> None:
    with pytest.raises(ValidationError):
        model(**{name: object()})


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_value_out_of_bounds_is_rejected(model: type[BaseModel], name: str) -> None:
    for bound in bounds(model.model_fields[name]):
        with pytest.raises(ValidationError, match=name):
            model(**{name: out_of_bounds(bound)})


@pytest.mark.parametrize("model", DOMAIN)
def test_unknown_name_and_assignment_are_rejected(model: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="no_such_setting"):
        model(no_such_setting=1)
    settings, name = model(), next(iter(model.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, name, getattr(settings, name))


@pytest.mark.parametrize("size", [0, 4, 63, 96])
def test_gan_size_is_a_power_of_two_from_8(size: int) -> None:
    with pytest.raises(ValidationError, match="power of two"):
        GanSettings(size=size)


def test_copy_with_changes_is_validated() -> None:
    assert HeadSettings().with_changes(epochs=3) == HeadSettings(epochs=3)
    with pytest.raises(ValidationError, match="epochs"):
        HeadSettings().with_changes(epochs=0)
    with pytest.raises(ValidationError, match="epoch"):
        HeadSettings().with_changes(epoch=3)


@pytest.mark.parametrize(
    ("settings", "digest"),
    [(HeadSettings(), "197c353453ab"), (FinetuneSettings(unfreeze_from="features.14"), "10f3f289b9b7")],
)
def test_fingerprinted_settings_keep_names_order_and_defaults(settings: SettingsModel, digest: str) -> None:
    written = json.dumps(settings.model_dump()).encode()
    assert hashlib.sha256(written).hexdigest().startswith(digest), "raise CODE_VERSION: every model gets a new name"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (RECIPES["article"], "6342dd5286d79056"),
        (GanSettings(generator_lr=4e-4, discriminator_lr=2e-4, upsampling="transposed"), "616b2d27ed5d74d9"),
    ],
)
def test_gan_run_of_an_earlier_version_keeps_its_name(settings: GanSettings, name: str) -> None:
    assert run_name(np.zeros((2, 8, 8, 3), np.uint8), settings) == name


def test_every_setting_of_a_gan_but_its_length_is_part_of_the_run_name() -> None:
    images = np.zeros((2, 8, 8, 3), np.uint8)
    other: dict[str, Any] = {
        "batch_size": 8, "size": 128, "latent": 8, "generator_width": 8, "discriminator_width": 8, "generator_lr": 0.1,
        "discriminator_lr": 0.1, "betas": (0.1, 0.2), "ema_decay": 0.1, "augment": "", "spectral_norm": True,
        "upsampling": "transposed", "convolutions": 2, "r1_weight": 1.0, "r1_every": 2,
        "seed": 1, "epochs": 1, "checkpoint_every": 1,
    }  # fmt: skip
    assert other.keys() == GanSettings.model_fields.keys()
    names = {key: run_name(images, GanSettings(**{key: value})) for key, value in other.items()}
    usual = run_name(images, GanSettings())
    assert {key for key, name in names.items() if name == usual} == {"epochs", "checkpoint_every"}


def test_domain_settings_are_taken_out_of_a_derived_config() -> None:
    settings = WeightsSettings.part_of(GanTrainingConfig(weights="none", epochs=3))
    assert type(settings) is WeightsSettings
    assert settings == WeightsSettings(weights="none")


def test_gan_config_overrides_its_recipe() -> None:
    assert GanTrainingConfig(recipe="article").choose() == ("article", RECIPES["article"])
    _, changed = GanTrainingConfig(recipe="article", generator_lr=1e-3, augment="cutout", epochs=3).choose()
    assert changed == RECIPES["article"].with_changes(generator_lr=1e-3, augment="cutout", epochs=3)
    with pytest.raises(ValidationError, match="generator_lr"):
        GanTrainingConfig(generator_lr=0)


@pytest.mark.parametrize("kind", ["packaged", "imagenet", "file"])
def test_default_recipe_of_pretrained_weights_is_a_kernel_ridge_on_a_grid(kind: WeightsKind) -> None:
    features = FeatureConfig().settings(WeightsSource(kind))
    assert features == FeatureSettings(fit="trim", height=160, width=384, keep="grid", mirrored=True)
    assert PriceModelConfig().settings(manifest(kind, features)) == HeadSettings(kind="kernel_ridge")


def test_default_recipe_of_random_weights_is_a_network_on_pooled_features() -> None:
    features = FeatureConfig().settings(WeightsSource("random"))
    assert features == FeatureSettings(height=80, width=192)
    assert PriceModelConfig().settings(manifest("random", features)) == HeadSettings()


@pytest.mark.parametrize("kind", ["random", "imagenet"])
def test_article_recipe_has_the_input_and_the_training_of_the_article(kind: WeightsKind) -> None:
    features = FeatureConfig(recipe="article").settings(WeightsSource(kind))
    assert features == FeatureSettings(fit="squash", height=224, width=336, keep="map", mirrored=True)
    head = HeadSettings(
        kind="article", epochs=60, batch_size=64, learning_rate=1e-3, plateau_patience=10, plateau_factor=0.1
    )
    assert PriceModelConfig().settings(manifest(kind, features)) == head
    assert PriceModelConfig(recipe="article").settings(manifest(kind, FeatureSettings())) == head
    assert PriceModelConfig(recipe="default").settings(manifest(kind, features)).kind != "article"


@pytest.mark.parametrize("config", [FeatureConfig, PriceModelConfig])
@pytest.mark.parametrize("recipe", get_args(RecipeName))
@pytest.mark.parametrize("kind", ["random", "packaged"])
def test_every_setting_of_a_price_recipe_can_be_changed_by_itself(
    config: type[FeatureConfig | PriceModelConfig], recipe: RecipeName, kind: WeightsKind
) -> None:
    features: dict[str, Any] = {"fit": "pad", "height": 99, "width": 98, "keep": "pooled", "mirrored": False}
    head: dict[str, Any] = {
        "kind": "ridge", "target": "log", "epochs": 3, "batch_size": 5, "learning_rate": 0.2, "plateau_patience": 0,
        "plateau_factor": 0.3, "patience": 2, "hidden": 7, "dropout": 0.0, "weight_decay": 0.1, "gamma": 0.2,
        "alpha": 0.4, "landmarks": 11, "seed": 0,
    }  # fmt: skip
    model, changes = (FeatureSettings, features) if config is FeatureConfig else (HeadSettings, head)
    assert changes.keys() == model.model_fields.keys()

    def settings(**values: Any) -> dict[str, Any]:
        chosen = config(recipe=recipe, **values)
        if isinstance(chosen, FeatureConfig):
            return chosen.settings(WeightsSource(kind)).model_dump()
        return chosen.settings(manifest(kind, FeatureSettings())).model_dump()

    for name, value in changes.items():
        assert settings(**{name: value}) == {**settings(), name: value}


def test_every_config_field_is_described() -> None:
    assert len(CONFIGS) > 15
    for config in CONFIGS.values():
        for name, field in config.model_fields.items():
            assert field.description, f"{config.__name__}.{name}"


def test_no_config_redefines_a_field_of_the_domain() -> None:
    derived = [config for config in CONFIGS.values() if issubclass(config, SettingsModel)]
    assert len(derived) > 8
    for config in derived:
        inherited = {name for base in config.__mro__[1:] if issubclass(base, BaseModel) for name in base.model_fields}
        assert not inherited & set(config.__annotations__), config.__name__


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_launchpad_shows_the_descriptions_and_defaults(config: type[dg.Config]) -> None:
    shown = config.to_config_schema().as_field().config_type.fields  # type: ignore[attr-defined]
    for name, field in config.model_fields.items():
        assert shown[name].description == field.description
        assert shown[name].default_provided


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"epochs": "many"}, "Invalid scalar"),
        ({"kind": "forest"}, "Value at path root:ops:train:config:kind not in enum type"),
        ({"epoch": 3}, 'unexpected config entry "epoch"'),
        ({"epochs": 0}, "greater than 0"),
    ],
)
def test_invalid_run_config_is_rejected(values: dict[str, Any], reason: str) -> None:
    @dg.op
    def train(config: PriceModelConfig) -> int:
        return config.epochs or 0

    @dg.job
    def training() -> None:
        train()

    with pytest.raises((dg.DagsterInvalidConfigError, ValidationError)) as error:
        training.execute_in_process(run_config={"ops": {"train": {"config": values}}})
    assert reason in str(error.value)


def test_run_config_reaches_the_settings() -> None:
    @dg.op
    def train(config: PriceModelConfig) -> dict[str, Any]:
        return config.settings(manifest("random", FeatureSettings())).model_dump()

    @dg.job
    def training() -> None:
        train()

    run = training.execute_in_process(run_config={"ops": {"train": {"config": {"kind": "ridge", "alpha": 0.5}}}})
    assert run.output_for_node("train") == HeadSettings(kind="ridge", alpha=0.5).model_dump()


def test_settings_load_neither_torch_nor_dagster() -> None:
    modules = [
        "settings.automation",
        "settings.environment",
        "crawl.settings",
        "gan.settings",
        "market.fees",
        "vision.recipes",
        "vision.settings",
    ]
    code = (
        f"import sys, importlib; [importlib.import_module('sneaker_assets.' + name) for name in {modules}]; "
        "assert not {'torch', 'dagster', 'pandas'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
