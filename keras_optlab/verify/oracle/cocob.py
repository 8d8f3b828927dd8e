import numpy as np


def cocob(w, g, s, t, lr, *, alpha=100.0, epsilon=1e-8):
    """COCOB-Backprop; the rate is a factor on the whole step.

    Orabona and Tommasi (2017), arXiv:1705.07795, algorithm 2, with the opposite sign of
    the gradient.
    """
    start = s["start"]
    scale = s["L"] = np.maximum(s.get("L", epsilon), np.abs(g))
    total = s["G"] = s.get("G", 0.0) + np.abs(g)
    reward = s["R"] = np.maximum(s.get("R", 0.0) - g * (w - start), 0.0)
    theta = s["theta"] = s.get("theta", 0.0) - g
    beta = theta / (scale * np.maximum(total + scale, alpha * scale))
    return w + lr * (start + beta * (scale + reward) - w)
