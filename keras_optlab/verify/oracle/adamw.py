from keras_optlab.verify.oracle.adam import adam


def adamw(w, g, s, t, lr, **hyper):
    """Adam; what AdamW adds to it is the decay, which is done outside the rule.

    Loshchilov and Hutter (2017), arXiv:1711.05101, algorithm 2.
    """
    return adam(w, g, s, t, lr, **hyper)
