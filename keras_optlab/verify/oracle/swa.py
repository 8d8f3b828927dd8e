"""SWA, which does not influence the training weights."""


def swa(inner, ws, gs, s, t, *, average_from=1, average_period=1):
    return inner(ws, gs)
