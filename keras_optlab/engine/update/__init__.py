"""One update of all weights: gradients in, new values out, written once."""
