import numpy as np


def qhadam(
    w, g, s, t, lr, *, beta_1=0.995, beta_2=0.999, nu_1=0.7, nu_2=1.0, epsilon=1e-8
):
    """Quasi-hyperbolic Adam.

    Ma and Yarats (2018), arXiv:1810.06801, section 4.
    """
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    above = (1 - nu_1) * g + nu_1 * m_hat
    below = np.sqrt((1 - nu_2) * g**2 + nu_2 * v_hat) + epsilon
    return w - lr * above / below
