from keras_optlab.verify.oracle.lion import lion


def tiger(w, g, s, t, lr, *, momentum=0.965):
    """Tiger: Lion with one beta."""
    return lion(w, g, s, t, lr, beta_1=momentum, beta_2=momentum)
