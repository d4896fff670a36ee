import hashlib
import json
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from sneaker_assets import code_versions
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.finetuning.finetune import Finetuner, run_id
from sneaker_assets.vision.finetuning.state import PriceNetwork
from sneaker_assets_tests.vision.finetuning.conftest import Setup, finetune_settings

pytestmark = pytest.mark.slow


def equal_weights(one: nn.Module, other: nn.Module) -> bool:
    others = other.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in one.state_dict().items())


def test_finetuning_learns_and_returns_the_ema_network_of_the_best_epoch(setup: Setup) -> None:
    settings = finetune_settings(
        epochs=10, learning_rate=3e-4, head_learning_rate=3e-3, rotation=0.0, colour=0.0, dropout=0.0
    )
    result = setup.run(settings)
    assert result.history["epoch"].tolist() == list(range(1, 11))
    assert result.best == result.history["validation_mse"].argmin()
    rows = setup.images.rows
    prices = rows.prices[rows.validation]
    assert result.history["validation_mse"].min() < 0.5 * float(prices.var())
    finetuner = setup.finetuner(finetune_settings())
    standardized = finetuner.predict_standardized(result.network, rows.validation.numpy())
    mse = (result.network.head.to_dollars(standardized) - prices).square().mean()
    assert float(mse) == pytest.approx(result.history["validation_mse"].min(), rel=1e-5)


@pytest.mark.parametrize("freeze", [True, False])
def test_batch_norm_statistics_change_only_when_not_frozen(setup: Setup, *, freeze: bool) -> None:
    settings = finetune_settings(freeze_batch_norm=freeze, epochs=1)
    before = setup.finetuner(settings).state.network.upper.state_dict()
    after = setup.run(settings).network.upper.state_dict()
    statistics = [name for name in before if name.endswith("running_mean")]
    assert statistics
    assert all(torch.equal(before[name], after[name]) for name in statistics) == freeze


@pytest.mark.parametrize("copies", [0, 2])
def test_resumed_finetuning_is_bit_identical_to_an_uninterrupted_one(setup: Setup, copies: int) -> None:
    settings = finetune_settings(copies=copies)
    whole = setup.run(settings)
    (setup.folder / "epoch-0003" / "state.json").unlink()
    resumed = setup.run(settings)
    assert equal_weights(resumed.network, whole.network)
    assert resumed.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))


def test_diverging_loss_fails_and_keeps_the_last_good_checkpoint(setup: Setup) -> None:
    setup.run(finetune_settings(epochs=1))
    finetuner = setup.finetuner(finetune_settings(learning_rate=1e30, clip=1e30, warm_up=0.0))
    with pytest.raises(TrainingError, match="not a finite number in epoch 1: lower the learning rates; the last good"):
        finetuner.run(setup.folder, "another")
    assert (setup.folder / "epoch-0001" / "model.safetensors").exists()


class LimitedMemory(nn.Module):
    """Identity that runs out of memory in training on more than ``max_rows`` rows."""

    def __init__(self, max_rows: int) -> None:
        super().__init__()
        self.max_rows = max_rows

    def forward(self, inputs: Tensor) -> Tensor:
        if torch.is_grad_enabled() and len(inputs) > self.max_rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return inputs


def limit_memory(finetuner: Finetuner, max_rows: int) -> None:
    for network in (finetuner.state.network, cast("PriceNetwork", finetuner.state.ema.module)):
        cast("nn.Sequential", network.upper).insert(0, LimitedMemory(max_rows))


def test_out_of_memory_halves_the_micro_batch_without_changing_the_result(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    unlimited = setup.run(finetune_settings())
    finetuner = setup.finetuner(finetune_settings())
    limit_memory(finetuner, 5)
    result = finetuner.run(setup.folder / "limited", "limited")
    assert result.micro_batch == 4
    assert "out of memory: reducing the micro batch to 8" in caplog.text
    assert result.history["validation_mse"].to_numpy() == pytest.approx(unlimited.history["validation_mse"], rel=0.02)


def test_out_of_memory_for_a_single_row_fails_with_advice(setup: Setup) -> None:
    finetuner = setup.finetuner(finetune_settings())
    limit_memory(finetuner, 0)
    with pytest.raises(TrainingError, match="a micro batch of 1 does not fit into the device's memory: unfreeze fewer"):
        finetuner.run(setup.folder, "none")


def test_learning_rate_warms_up_linearly_and_decays_to_nearly_zero(setup: Setup) -> None:
    settings = finetune_settings(epochs=2, warm_up=0.5)
    finetuner = setup.finetuner(settings)
    assert finetuner.steps_per_epoch == 3
    history = finetuner.run(setup.folder, "schedule").history
    assert history["learning_rate"].iloc[0] == pytest.approx(settings.learning_rate)
    assert history["learning_rate"].iloc[1] == pytest.approx(settings.learning_rate * 0.25)


def test_run_id_changes_with_what_affects_the_network_and_not_with_the_micro_batch(setup: Setup) -> None:
    inputs, rows = setup.inputs(finetune_settings()), setup.images.rows
    identity = {"backbone": "a"}
    name = run_id(inputs, rows, finetune_settings(), identity)
    assert len(name) == 12
    assert run_id(inputs, rows, finetune_settings(micro_batch=1), identity) == name
    assert run_id(inputs, rows, finetune_settings(mixed=False), identity) != name
    assert run_id(inputs, rows, finetune_settings(seed=1), identity) != name
    assert run_id(inputs, rows, finetune_settings(), {"backbone": "b"}) != name


def test_run_id_depends_on_the_code_version_after_the_first(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, rows, settings = setup.inputs(finetune_settings()), setup.images.rows, finetune_settings()
    names = {}
    for version in ("1", "2", "3"):
        monkeypatch.setattr(code_versions, "FINETUNING", version)
        names[version] = run_id(inputs, rows, settings, {})
    assert len(set(names.values())) == 3
    shaped = settings.model_dump(exclude={"micro_batch"})
    first = hashlib.sha256(json.dumps([inputs.name, shaped, {}], sort_keys=True).encode())
    for tensor in (rows.prices, rows.train, rows.validation):
        first.update(tensor.numpy().tobytes())
    assert names["1"] == first.hexdigest()[:12]
