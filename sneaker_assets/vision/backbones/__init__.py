"""Backbones: pretrained networks that turn images into feature maps, and where their weights come from."""
