"""Going on with an interrupted `fit` as if it had never been interrupted."""
