import numpy as np


def adabound(
    w,
    g,
    s,
    t,
    lr,
    *,
    final_learning_rate=0.1,
    beta_1=0.9,
    beta_2=0.999,
    gamma=0.001,
    epsilon=1e-8,
):
    """AdaBound with the bounds of the authors' code.

    Luo, Xiong, Liu and Sun (2019), arXiv:1902.09843, algorithm 2.
    """
    first = s.setdefault("first", lr)
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    final = final_learning_rate * lr / first
    low, high = final * (1 - 1 / (gamma * t + 1)), final * (1 + 1 / (gamma * t))
    rate = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) / (np.sqrt(v) + epsilon)
    return w - np.clip(rate, low, high) * m
