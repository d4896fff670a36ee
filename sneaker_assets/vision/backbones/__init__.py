"""Backbones: the networks that turn a picture into feature maps, and their weights."""
