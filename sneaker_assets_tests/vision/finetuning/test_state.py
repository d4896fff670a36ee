import json
import logging
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn
from upath import UPath

from sneaker_assets.vision.finetuning.state import FinetuneState, PriceNetwork
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.settings import HeadSettings
from sneaker_assets_tests.vision.finetuning.conftest import finetune_settings


def small_network() -> PriceNetwork:
    torch.manual_seed(0)
    return PriceNetwork(nn.Sequential(nn.Conv2d(3, 4, 1)), build_head(HeadSettings(hidden=5), 8))


def trained_state(folder: UPath, epochs: int) -> FinetuneState:
    """State after one step in each epoch, with a checkpoint of each epoch."""
    state = FinetuneState.create(small_network(), finetune_settings())
    torch.manual_seed(1)
    for epoch in range(1, epochs + 1):
        state.optimizer.zero_grad()
        state.network(torch.rand(2, 3, 4, 4)).square().sum().backward()
        state.optimizer.step()
        state.ema.update_parameters(state.network)
        state.step, state.best = epoch, epoch
        state.best_tensors = {name: tensor.clone() for name, tensor in state.network.state_dict().items()}
        state.history.append({"epoch": epoch, "validation_mse": 1.0 / epoch})
        state.save(folder, "run")
    return state


def resumed_state(folder: UPath, run: str = "run") -> FinetuneState:
    state = FinetuneState.create(small_network(), finetune_settings())
    state.resume(folder, run)
    return state


def equal(one: nn.Module, other: nn.Module) -> bool:
    others = other.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in one.state_dict().items())


def test_resume_restores_network_ema_optimizer_and_history(tmp_path: Path) -> None:
    saved = trained_state(UPath(tmp_path), 2)
    resumed = resumed_state(UPath(tmp_path))
    assert equal(resumed.network, saved.network)
    assert equal(resumed.ema, saved.ema)
    assert (resumed.step, resumed.best, resumed.history) == (2, 2, saved.history)
    assert set(resumed.best_tensors) == set(saved.best_tensors)
    moments, restored = saved.optimizer.state_dict()["state"], resumed.optimizer.state_dict()["state"]
    assert all(torch.equal(restored[i][name], moments[i][name]) for i in moments for name in moments[i])


def test_resume_without_a_checkpoint_leaves_the_state_unchanged(tmp_path: Path) -> None:
    state = resumed_state(UPath(tmp_path) / "missing")
    assert (state.step, state.history) == (0, [])
    assert equal(state.network, small_network())


def test_resume_skips_a_damaged_checkpoint_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained_state(UPath(tmp_path), 2)
    damaged = tmp_path / "epoch-0002" / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-10])
    with caplog.at_level(logging.INFO):
        assert resumed_state(UPath(tmp_path)).step == 1
    assert "epoch-0002 is damaged" in caplog.text
    assert "resuming after epoch 1" in caplog.text


def test_resume_skips_a_checkpoint_of_another_training_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained_state(UPath(tmp_path), 2)
    path = tmp_path / "epoch-0002" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "run": "another"}))
    with caplog.at_level(logging.INFO):
        assert resumed_state(UPath(tmp_path)).step == 1
    assert "epoch-0002" in caplog.text
    assert "another network, other rows or other settings" in caplog.text


def test_checkpoint_tensor_names_are_stable(tmp_path: Path) -> None:
    trained_state(UPath(tmp_path), 1)
    with safe_open(str(tmp_path / "epoch-0001" / "model.safetensors"), "pt") as file:
        names = set(file.keys())
    assert {"network.upper.0.weight", "averaged.module.upper.0.weight", "best.upper.0.weight"} <= names
    assert {"averaged.n_averaged", "adam.0.exp_avg", "adam.0.exp_avg_sq", "adam.0.step"} <= names


def test_dropout_mask_scales_hidden_units() -> None:
    network, inputs = small_network().eval(), torch.rand(2, 3, 4, 4)
    with torch.inference_mode():
        assert torch.allclose(network(inputs, torch.ones(2, 5)), network(inputs))
        bias = network.head.get_parameter("body.3.bias")
        assert torch.allclose(network(inputs, torch.zeros(2, 5)), bias.expand(2))
