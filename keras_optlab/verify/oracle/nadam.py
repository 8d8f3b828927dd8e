import numpy as np


def nadam(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    momentum_decay=1.0,
):
    """Nadam with the momentum schedule; the paper's `momentum_decay` is 0.004.

    Dozat (2016), "Incorporating Nesterov Momentum into Adam", ICLR workshop; the
    schedule of mu is that of its experiments, 0.96^(t / 250).
    """

    def mu(t):
        return beta_1 * (1 - 0.5 * 0.96 ** (momentum_decay * t))

    product = s["product"] = s.get("product", 1.0) * mu(t)
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    ahead = mu(t + 1) * m / (1 - product * mu(t + 1))
    m_bar = ahead + (1 - mu(t)) * g / (1 - product)
    return w - lr * m_bar / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
