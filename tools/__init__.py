"""Scripts that write and check files of this repository."""
