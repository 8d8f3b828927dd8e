import numpy as np


def adam(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    amsgrad=False,
    epsilon_placement="hat",
):
    """Adam; "outside" is the paper's algorithm 1, "hat" the form of its section 2.

    Kingma and Ba (2014), arXiv:1412.6980, algorithm 1 and the end of section 2, where
    the bias corrections are folded into the learning rate and v is not corrected.
    AMSGrad: Reddi, Kale and Kumar (2018), arXiv:1904.09237, algorithm 2, here with
    Adam's bias corrections.
    """
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    if amsgrad:
        v = s["v_max"] = np.maximum(s.get("v_max", 0.0), v)
    if epsilon_placement == "hat":
        alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        return w - alpha * m / (np.sqrt(v) + epsilon)
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    if epsilon_placement == "inside":
        return w - lr * m_hat / np.sqrt(v_hat + epsilon)
    return w - lr * m_hat / (np.sqrt(v_hat) + epsilon)
