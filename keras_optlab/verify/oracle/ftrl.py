import numpy as np


def ftrl(
    w,
    g,
    s,
    t,
    lr,
    *,
    learning_rate_power=-0.5,
    initial_accumulator_value=0.1,
    l1_regularization_strength=0.0,
    l2_regularization_strength=0.0,
    l2_shrinkage_regularization_strength=0.0,
    beta=0.0,
):
    """FTRL-Proximal.

    McMahan et al. (2013), "Ad Click Prediction: a View from the Trenches", KDD,
    algorithm 1 with lambda_1 = l1, lambda_2 = 2 l2 and any power in place of the root.
    The shrinkage, of Keras, adds the gradient of an L2 penalty to z alone.
    """
    n = s.get("n", initial_accumulator_value)
    s["n"] = n + g**2
    l1, l2 = l1_regularization_strength, l2_regularization_strength
    sigma = (s["n"] ** -learning_rate_power - n**-learning_rate_power) / lr
    shrunk = g + 2 * l2_shrinkage_regularization_strength * w
    z = s["z"] = s.get("z", 0.0) + shrunk - sigma * w
    rate = (beta + s["n"] ** -learning_rate_power) / lr + 2 * l2
    return (np.clip(z, -l1, l1) - z) / rate
