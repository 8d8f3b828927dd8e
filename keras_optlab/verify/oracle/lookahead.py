def lookahead(inner, ws, gs, s, t, *, sync_period=5, slow_step_size=0.5):
    """Slow weights interpolated towards the fast weights.

    Zhang, Lucas, Hinton and Ba (2019), arXiv:1907.08610, algorithm 1.
    """
    ws, slow = inner(ws, gs), s.setdefault("slow", s["start"])
    if t % sync_period:
        return ws
    s["slow"] = [x + slow_step_size * (w - x) for x, w in zip(slow, ws, strict=True)]
    return s["slow"]
