"""State of Adam-like optimizers as named tensors, for checkpoints that contain no pickle."""

from collections.abc import Mapping

import torch
from torch import Tensor


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """State of an optimizer as named tensors.

    Args:
        optimizer: An Adam-like optimizer.
        prefix: Prefix of the names.

    Returns:
        Moments and step counts, not copied, by ``<prefix>.<index of the parameter>.<name>``.
    """
    return {
        f"{prefix}.{index}.{name}": tensor
        for index, tensors in optimizer.state_dict()["state"].items()
        for name, tensor in tensors.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Load what :func:`optimizer_tensors` returned; hyperparameters stay as they are.

    Moments get the memory layout of their parameters, since the same sums in another order differ in the last bits.

    Args:
        optimizer: An optimizer of parameters with the same shapes.
        tensors: Tensors by name; others are ignored.
        prefix: As for :func:`optimizer_tensors`.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = {
        index: {
            name: moment if moment.ndim == 0 else torch.empty_like(parameter, requires_grad=False).copy_(moment)
            for name, moment in with_prefix(f"{prefix}.{index}", tensors).items()
        }
        for index, parameter in enumerate(parameters)
    }
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with ``<prefix>.``, without that prefix.

    Args:
        prefix: The prefix, without its dot.
        tensors: Tensors by name.

    Returns:
        The matching tensors by the rest of their names.
    """
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
