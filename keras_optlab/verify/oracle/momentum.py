def momentum(w, g, s, t, lr, *, momentum=0.9, form="velocity"):
    """The three textbook forms of momentum.

    Polyak (1964), "Some methods of speeding up the convergence of iteration methods",
    for the heavy ball; the velocity and the average of gradients are later notations.
    """
    if form == "heavy_ball":
        # The last displacement; theta - theta_prev would include weight decay.
        new = w - lr * g + momentum * s.get("moved", 0.0)
        s["moved"] = new - w
        return new
    if form == "velocity":
        v = s["v"] = momentum * s.get("v", 0.0) + lr * g
        return w - v
    v = s["v"] = momentum * s.get("v", 0.0) + (1 - momentum) * g
    return w - lr * v
