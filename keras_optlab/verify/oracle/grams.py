import numpy as np


def grams(w, g, s, t, lr, *, beta_1=0.9, beta_2=0.999, epsilon=1e-6):
    """Grams.

    Cao, Li and Song (2024), arXiv:2412.17107, and the authors' code,
    https://github.com/Gunale0926/Grams at f91a375, but with epsilon after the bias
    correction.
    """
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    return w - lr * np.sign(g) * np.abs(m_hat / (np.sqrt(v_hat) + epsilon))
