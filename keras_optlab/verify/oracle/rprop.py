import numpy as np


def rprop(w, g, s, t, lr, *, eta_minus=0.5, eta_plus=1.2, min_step=1e-6, max_step=50.0):
    """Rprop without backtracking, iRprop-.

    Riedmiller and Braun (1993); Igel and Huesken (2000).
    """
    same = g * s.get("g", 0.0)
    step = s.get("step", np.full(np.shape(w), lr))
    step = np.where(
        same > 0, step * eta_plus, np.where(same < 0, step * eta_minus, step)
    )
    s["step"] = np.clip(step, min_step, max_step)
    s["g"] = np.where(same < 0, 0.0, g)
    return w - s["step"] * np.sign(s["g"])
