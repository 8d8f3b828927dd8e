import numpy as np

from keras_optlab.verify.oracle.proximal_sgd import proximal_sgd


def proximal_adagrad(w, g, s, t, lr, *, initial_accumulator_value=0.1, **strengths):
    """Forward-backward splitting with Adagrad's rates; Duchi and Singer (2009)."""
    n = s["n"] = s.get("n", initial_accumulator_value) + g**2
    return proximal_sgd(w, g, s, t, lr / np.sqrt(n), **strengths)
