"""Torch helpers shared by ``vision`` and ``gan``: devices, distributed ranks, checkpoints, optimizer state."""
