"""LAWA, which does not influence the training weights."""


def lawa(inner, ws, gs, s, t, *, average_checkpoints=5, average_period=100):
    return inner(ws, gs)
