"""A run on disk: configured, stopped at any moment, continued."""
