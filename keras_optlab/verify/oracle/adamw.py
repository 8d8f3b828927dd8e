from keras_optlab.verify.oracle.adam import adam


def adamw(w, g, s, t, lr, **hyper):
    """Adam; the weight decay of AdamW is applied outside the rule.

    Loshchilov and Hutter (2017), arXiv:1711.05101, algorithm 2.
    """
    return adam(w, g, s, t, lr, **hyper)
