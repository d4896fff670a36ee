"""Price models on disk, and pricing pictures with them."""
