def aggmo(w, g, s, t, lr, *, beta_1=0.0, beta_2=0.9, beta_3=0.99):
    """Aggregated momentum.

    Lucas, Sun, Zemel and Grosse (2018), arXiv:1804.00325, equation 3, with the
    opposite sign of the gradient.
    """
    betas = (beta_1, beta_2, beta_3)
    last = s.get("v", [0.0] * len(betas))
    s["v"] = [beta * v + g for beta, v in zip(betas, last, strict=True)]
    return w - lr / len(betas) * sum(s["v"])
