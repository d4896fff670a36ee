"""Tests of the package. The graph reads its partitions when it is imported, so the backbones are set before."""

import os

# resnet18 is the fastest one without weights, and that of the stored lakes.
os.environ["SNEAKER_BACKBONES"] = "vgg16,efficientnet_lite0,resnet18"
