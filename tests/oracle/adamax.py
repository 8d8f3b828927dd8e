import numpy as np


def adamax(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    epsilon_placement="outside",
):
    """Adamax; the paper has no epsilon, "norm" puts it into the infinity norm.

    Kingma and Ba (2014), arXiv:1412.6980, algorithm 2.
    """
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    norm, outside = {"norm": (epsilon, 0.0), "outside": (0.0, epsilon)}[
        epsilon_placement
    ]
    u = s["u"] = np.maximum(beta_2 * s.get("u", 0.0), np.abs(g) + norm)
    return w - lr / (1 - beta_1**t) * m / (u + outside)
