import numpy as np

from keras_optlab.verify.oracle.adafactor import rms, second_moment


def came(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    beta_3=0.9999,
    epsilon_1=1e-30,
    epsilon_2=1e-16,
    clip_threshold=1.0,
):
    """CAME; vectors move by their momentum.

    Luo et al. (2023), arXiv:2307.02047, algorithm 2.
    """
    u = g / np.sqrt(second_moment(s, "v", g**2 + epsilon_1, beta_2))
    u = u / max(1.0, rms(u) / clip_threshold)
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * u
    if w.ndim < 2:
        return w - lr * m
    instability = second_moment(s, "U", (u - m) ** 2 + epsilon_2, beta_3)
    return w - lr * m / np.sqrt(instability)
