"""The arguments of an optimizer, and their values while a compiled step runs."""
