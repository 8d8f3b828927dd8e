import numpy as np

from tests.oracle.proximalsgd import proximalsgd


def proximaladagrad(w, g, s, t, lr, *, initial_accumulator_value=0.1, **strengths):
    """Forward-backward splitting with Adagrad's rates; Duchi and Singer (2009)."""
    n = s["n"] = s.get("n", initial_accumulator_value) + g**2
    return proximalsgd(w, g, s, t, lr / np.sqrt(n), **strengths)
