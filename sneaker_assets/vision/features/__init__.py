"""Image features: extracted once per image by a frozen backbone, and stored on disk."""
