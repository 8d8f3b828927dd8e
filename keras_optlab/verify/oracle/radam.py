import numpy as np


def radam(w, g, s, t, lr, *, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """Rectified Adam, adaptive where rho is above 5.

    Liu et al. (2019), arXiv:1908.03265, algorithm 2; the bound of the authors' code.
    """
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    m_hat = m / (1 - beta_1**t)
    rho_inf = 2 / (1 - beta_2) - 1
    rho = rho_inf - 2 * t * beta_2**t / (1 - beta_2**t)
    if rho <= 5:
        return w - lr * m_hat
    r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    return w - lr * r * m_hat * np.sqrt(1 - beta_2**t) / (np.sqrt(v) + epsilon)
