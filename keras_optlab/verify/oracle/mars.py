import numpy as np


def mars(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.95,
    beta_2=0.99,
    gamma=0.025,
    vector_beta_1=0.9,
    vector_beta_2=0.95,
    matrices_only=True,
    epsilon=1e-8,
):
    """MARS-AdamW, approximate form; AdamW for vectors and scalars.

    Yuan et al. (2024), arXiv:2411.10438.
    """
    if matrices_only and g.ndim < 2:
        c, beta_1, beta_2 = g, vector_beta_1, vector_beta_2
    else:
        c = g + gamma * beta_1 / (1 - beta_1) * (g - s.get("g", 0.0))
        c = c / max(1.0, np.sqrt(np.sum(c**2)))
    s["g"] = g
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * c
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * c**2
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    return w - lr * m_hat / (np.sqrt(v_hat) + epsilon)
