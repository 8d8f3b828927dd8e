def qhm(w, g, s, t, lr, *, momentum=0.999, nu=0.7):
    """Quasi-hyperbolic momentum.

    Ma and Yarats (2018), arXiv:1810.06801, equations 3 and 4.
    """
    m = s["m"] = momentum * s.get("m", 0.0) + (1 - momentum) * g
    return w - lr * ((1 - nu) * g + nu * m)
