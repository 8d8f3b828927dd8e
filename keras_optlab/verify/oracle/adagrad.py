import numpy as np


def adagrad(
    w,
    g,
    s,
    t,
    lr,
    *,
    initial_accumulator_value=0.1,
    epsilon=1e-7,
    epsilon_placement="inside",
):
    """Adagrad with the diagonal of G.

    Duchi, Hazan and Singer (2011), "Adaptive Subgradient Methods for Online Learning
    and Stochastic Optimization", JMLR 12.
    """
    G = s["G"] = s.get("G", initial_accumulator_value) + g**2
    if epsilon_placement == "inside":
        return w - lr * g / np.sqrt(G + epsilon)
    return w - lr * g / (np.sqrt(G) + epsilon)
