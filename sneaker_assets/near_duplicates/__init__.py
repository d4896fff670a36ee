"""Near-duplicate images: perceptual hashes, and groups of images that show the same picture."""
