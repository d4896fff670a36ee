"""Features: computed once per image by a frozen backbone, and stored."""
