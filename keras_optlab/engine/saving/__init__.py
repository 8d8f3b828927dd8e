"""Keys of saved optimizer state, and restoring state by key."""
