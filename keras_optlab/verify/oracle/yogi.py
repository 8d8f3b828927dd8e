import numpy as np


def yogi(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-3,
    initial_accumulator_value=1e-6,
):
    """Yogi, with Adam's bias corrections.

    Zaheer et al. (2018), "Adaptive Methods for Nonconvex Optimization", algorithm 2.
    """
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s.get("v", initial_accumulator_value)
    v = s["v"] = v - (1 - beta_2) * np.sign(v - g**2) * g**2
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    return w - lr * m_hat / (np.sqrt(v_hat) + epsilon)
