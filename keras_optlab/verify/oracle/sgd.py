def sgd(w, g, s, t, lr, *, momentum=0.0, nesterov=False):
    """Gradient descent with momentum, the learning rate inside the buffer.

    Sutskever, Martens, Dahl and Hinton (2013), "On the importance of initialization and
    momentum in deep learning", ICML; Nesterov's method with the weights kept at the
    look-ahead point, as in Bengio et al. (2012), arXiv:1212.0901.
    """
    v = s["v"] = momentum * s.get("v", 0.0) - lr * g
    return w + momentum * v - lr * g if nesterov else w + v
