"""Images: read, made binary, split."""
