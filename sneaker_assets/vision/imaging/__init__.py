"""From image files to pixels: decoding, photographs, cropping and augmentation."""
