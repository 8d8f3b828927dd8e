import numpy as np


def lamb(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    keras_compatible=False,
    weight_decay=0.0,
):
    """LAMB; Keras has the weight decay outside the ratio.

    You et al. (2019), arXiv:1904.00962, algorithm 2.
    """
    if keras_compatible:
        w, weight_decay = w - lr * weight_decay * w, 0.0
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    u = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    u = u + weight_decay * w
    w_norm, u_norm = np.sqrt(np.sum(w**2)), np.sqrt(np.sum(u**2))
    return w - lr * (w_norm / u_norm if w_norm > 0 and u_norm > 0 else 1.0) * u
