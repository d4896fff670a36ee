"""Helpers for torch shared by ``vision`` and ``gan``: devices, distributed ranks, checkpoints."""
