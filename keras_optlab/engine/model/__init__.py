"""Hooks that an optimizer installs on the model it is compiled into."""
