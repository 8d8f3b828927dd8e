import keras
import numpy as np

from keras_optlab.core.randomness import seed_at
from keras_optlab.verify.oracle.galore import (
    adam,
    as_given,
    first_vectors,
    long_side_first,
)


def apollo(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    rank=128,
    period=200,
    scale=1.0,
    scaling="channel",
    projection="random",
    epsilon=1e-6,
):
    """APOLLO; random projections are drawn from the optimizer's seeds.

    Zhu et al. (2024), arXiv:2412.05270, algorithm 1.
    """
    if g.ndim < 2 or not g.size:
        return w - adam(g, s, t, lr, beta_1, beta_2, epsilon)
    x = long_side_first(g)
    if (t - 1) % period == 0:
        s["P"] = first_vectors(x, rank)
        if projection == "random":
            seed = seed_at(0, keras.ops.convert_to_tensor(t))
            drawn = keras.random.normal(s["P"].shape, dtype="float32", seed=seed)
            s["P"] = keras.ops.convert_to_numpy(drawn) / np.sqrt(s["P"].shape[1])
    low = x @ s["P"]
    alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    adapted = adam(low, s, t, 1.0, beta_1, beta_2, epsilon) * lr / alpha
    axis = 1 if scaling == "channel" else None

    def size(x):
        return np.sqrt(np.sum(x**2, axis=axis, keepdims=True))

    u = np.sqrt(scale) * size(adapted) / (size(low) + 1e-8) * x
    length = np.sqrt(np.sum(u**2))
    limiter = max(length / (s["length"] + 1e-8), 1.01) / 1.01 if t > 1 else 1.0
    s["length"] = length / limiter
    return w - alpha * as_given(u / limiter, g)
