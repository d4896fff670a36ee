"""Dagster resources: the lake, the source of listings, the compute device, experiment tracking, and the IO manager."""

from sneaker_assets.resources.compute import ComputeResource
from sneaker_assets.resources.io_manager import OPTIONAL_INPUT, PARTIAL_INPUT, LakeIOManager
from sneaker_assets.resources.lake import LakeResource
from sneaker_assets.resources.source import ListingSourceResource
from sneaker_assets.resources.tracking import TrackingResource

__all__ = [
    "OPTIONAL_INPUT",
    "PARTIAL_INPUT",
    "ComputeResource",
    "LakeIOManager",
    "LakeResource",
    "ListingSourceResource",
    "TrackingResource",
]
