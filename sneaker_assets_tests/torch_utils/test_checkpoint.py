import dataclasses
import logging
from pathlib import Path

import pytest
import torch
from upath import UPath

from sneaker_assets.torch_utils.checkpoint import Checkpoint, CheckpointError, latest, load, save


def checkpoint(epoch: int) -> Checkpoint:
    tensors = {"weights": torch.full((2, 3), float(epoch)), "rng": torch.arange(5, dtype=torch.uint8)}
    history = [{"epoch": 1, "generator_loss": 0.1}, {"epoch": epoch, "generator_loss": 1 / 3}]
    return Checkpoint(epoch, step=10 * epoch, tensors=tensors, history=history, known={"run": "abc"})


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    return UPath(tmp_path) if request.param == "local" else UPath(f"memory://{tmp_path.name}")


def test_a_checkpoint_is_loaded_as_it_was_saved(folder: UPath) -> None:
    path = save(folder, checkpoint(12))
    assert path.name == "epoch-0012"
    loaded = load(path)
    assert (loaded.epoch, loaded.step, loaded.known) == (12, 120, {"run": "abc"})
    assert loaded.tensors.keys() == {"weights", "rng"}
    assert all(torch.equal(value, checkpoint(12).tensors[name]) for name, value in loaded.tensors.items())
    assert loaded.history == checkpoint(12).history


def test_the_newest_two_are_kept(folder: UPath) -> None:
    for epoch in (9, 10, 11):
        save(folder, checkpoint(epoch))
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-0010", "epoch-0011"]


def test_the_best_is_kept_beside_the_newest(folder: UPath) -> None:
    for epoch in (8, 9, 10, 11):
        save(folder, checkpoint(epoch), best=8)
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-0008", "epoch-0010", "epoch-0011"]


def test_a_missing_folder_has_no_latest_checkpoint(folder: UPath) -> None:
    assert latest(folder / "nowhere") is None


@pytest.mark.parametrize("name", ["model.safetensors", "state.json"])
@pytest.mark.parametrize("harm", ["cut", "altered", "missing"])
def test_a_damaged_checkpoint_is_skipped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, harm: str
) -> None:
    folder = UPath(tmp_path)
    for epoch in (1, 2):
        save(folder, checkpoint(epoch))
    file = tmp_path / "epoch-0002" / name
    data = file.read_bytes()
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(data[: len(data) // 2] if harm == "cut" else b"?" + data[1:])
    with caplog.at_level(logging.WARNING):
        found = latest(folder)
    assert found is not None
    assert found.epoch == 1
    assert "epoch-0002" in caplog.text


def test_an_altered_tensor_is_detected(tmp_path: Path) -> None:
    file = save(UPath(tmp_path), checkpoint(1)) / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match=r"epoch-0001 is damaged .*does not match its sha256"):
        load(file.parent)


def test_a_checkpoint_of_another_run_is_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = UPath(tmp_path)
    save(folder, checkpoint(1))
    save(folder, dataclasses.replace(checkpoint(2), known={"run": "another"}))
    with caplog.at_level(logging.WARNING):
        found = latest(folder, run="abc")
    assert found is not None
    assert found.epoch == 1
    assert "epoch-0002 belongs to another network" in caplog.text
    assert latest(folder, run="unknown") is None
