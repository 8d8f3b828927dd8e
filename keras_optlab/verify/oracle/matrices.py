import functools


def on_matrices(rule):
    """Let a rule see a weight of several axes as a matrix, with a column per output."""

    @functools.wraps(rule)
    def of_weight(w, g, *args, **kwargs):
        if w.ndim < 3:
            return rule(w, g, *args, **kwargs)
        columns = w.shape[-1]
        new = rule(w.reshape(-1, columns), g.reshape(-1, columns), *args, **kwargs)
        return new.reshape(w.shape)

    return of_weight
