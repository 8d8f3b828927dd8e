def grokfast(inner, ws, gs, s, t, *, grokfast_alpha=0.98, grokfast_lambda=2.0):
    """Grokfast with a moving average of the gradients.

    Lee et al. (2024), arXiv:2405.20233, the filter Grokfast-EMA.
    """
    old = s.get("mean", gs)
    mean = s["mean"] = [
        grokfast_alpha * a + (1 - grokfast_alpha) * g
        for a, g in zip(old, gs, strict=True)
    ]
    return inner(ws, [g + grokfast_lambda * a for g, a in zip(gs, mean, strict=True)])
