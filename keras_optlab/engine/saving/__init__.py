"""The names under which state is saved, and how a saved state is read."""
