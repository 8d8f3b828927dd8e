import numpy as np


def adadelta(w, g, s, t, lr, *, rho=0.95, epsilon=1e-7):
    """Adadelta; the paper's step has lr = 1.

    Zeiler (2012), arXiv:1212.5701, algorithm 1.
    """
    Eg = s["Eg"] = rho * s.get("Eg", 0.0) + (1 - rho) * g**2
    dx = -np.sqrt(s.get("Ex", 0.0) + epsilon) / np.sqrt(Eg + epsilon) * g
    s["Ex"] = rho * s.get("Ex", 0.0) + (1 - rho) * dx**2
    return w + lr * dx
