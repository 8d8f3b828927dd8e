import numpy as np


def hypergradient_adam(
    ws,
    gs,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    hypergradient_learning_rate=1e-7,
    epsilon=1e-8,
):
    """Adam with hypergradient descent on the learning rate.

    Baydin et al. (2017), arXiv:1703.04782, algorithm 5.
    """
    zeros = [0.0] * len(ws)
    last = s.get("u", zeros)
    agreement = sum(np.sum(g * u) for g, u in zip(gs, last, strict=True))
    learned = s.get("learned", 0.0) + hypergradient_learning_rate * agreement
    m, v = s.get("m", zeros), s.get("v", zeros)
    m = [beta_1 * a + (1 - beta_1) * g for a, g in zip(m, gs, strict=True)]
    v = [beta_2 * a + (1 - beta_2) * g**2 for a, g in zip(v, gs, strict=True)]
    hats = [
        (a / (1 - beta_1**t), b / (1 - beta_2**t)) for a, b in zip(m, v, strict=True)
    ]
    u = [a / (np.sqrt(b) + epsilon) for a, b in hats]
    s.update(m=m, v=v, u=u, learned=learned)
    return [w - (lr + learned) * x for w, x in zip(ws, u, strict=True)]
