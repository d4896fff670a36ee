"""Image files to pixels and back: decoding, user photos, cropping, augmentation, encoding."""
