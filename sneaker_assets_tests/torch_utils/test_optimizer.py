import pytest
import torch
from torch import Tensor, nn

from sneaker_assets.torch_utils.optimizer import optimizer_tensors, restore_optimizer, with_prefix


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 1)).to(memory_format=torch.channels_last)


def step(module: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor) -> None:
    optimizer.zero_grad()
    module(images).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_a_restored_optimizer_continues_bit_for_bit(kind: type[torch.optim.Adam]) -> None:
    images = [torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
    trained, resumed = network(), network()
    optimizer, other = (kind(module.parameters(), lr=0.01) for module in (trained, resumed))
    for batch in images[:2]:
        step(trained, optimizer, batch)
    resumed.load_state_dict(trained.state_dict())
    saved = {name: tensor.contiguous().clone() for name, tensor in optimizer_tensors(optimizer, "adam").items()}
    restore_optimizer(other, {**saved, "another.0.step": torch.ones(())}, "adam")
    for batch in images[2:]:
        step(trained, optimizer, batch)
        step(resumed, other, batch)
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), resumed.parameters(), strict=True))


def test_tensors_are_selected_by_a_whole_prefix() -> None:
    tensors = {"adam.0.step": torch.ones(()), "adamw.0.step": torch.zeros(()), "adam": torch.zeros(())}
    assert with_prefix("adam", tensors) == {"0.step": tensors["adam.0.step"]}
