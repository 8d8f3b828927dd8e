import numpy as np


def hypergradient_sgd(ws, gs, s, t, lr, *, hypergradient_learning_rate=1e-3):
    """SGD with hypergradient descent on the learning rate.

    Baydin et al. (2017), arXiv:1703.04782, algorithm 4.
    """
    last = s.get("g", [np.zeros_like(g) for g in gs])
    agreement = sum(np.sum(g * h) for g, h in zip(gs, last, strict=True))
    learned = s.get("learned", 0.0) + hypergradient_learning_rate * agreement
    s["learned"] = learned
    s["g"] = gs
    return [w - (lr + learned) * g for w, g in zip(ws, gs, strict=True)]
