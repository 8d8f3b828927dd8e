"""Schedule-free AdamW: Algorithm 1 of arXiv:2405.15682, with x, y and z stored."""

import numpy as np

from keras_optlab.verify.oracle.schedule_free_sgd import interpolated


def schedule_free_adamw(
    y,
    g,
    s,
    t,
    lr,
    weight_decay=0.0,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-8,
    warmup_steps=0,
    weight_lr_power=2.0,
):
    v = beta_2 * s.get("v", 0) + (1 - beta_2) * g**2
    s.update(v=v)
    direction = g / (np.sqrt(v / (1 - beta_2**t)) + epsilon) + weight_decay * y
    return interpolated(y, direction, s, t, lr, beta_1, warmup_steps, weight_lr_power)
