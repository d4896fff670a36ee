"""Near-duplicate images: image properties, perceptual hashes, and grouping of near duplicates."""
