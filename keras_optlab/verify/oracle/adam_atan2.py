import numpy as np


def adam_atan2(w, g, s, t, lr, *, beta_1=0.9, beta_2=0.999, a=1.27, b=1.0):
    """Adam-atan2.

    Everett et al. (2024), arXiv:2407.05872, the update that replaces Adam's division.
    """
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    return w - lr * a * np.arctan2(m_hat, b * np.sqrt(v_hat))
