"""One weight, several as one, or some rows of one, as an update sees it."""
