import numpy as np


def adabelief(w, g, s, t, lr, *, beta_1=0.9, beta_2=0.999, epsilon=1e-16):
    """AdaBelief.

    Zhuang et al. (2020), arXiv:2010.07468, algorithm 2.
    """
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    spread = beta_2 * s.get("s", 0.0) + (1 - beta_2) * (g - m) ** 2 + epsilon
    s["s"] = spread
    m_hat, s_hat = m / (1 - beta_1**t), spread / (1 - beta_2**t)
    return w - lr * m_hat / (np.sqrt(s_hat) + epsilon)
