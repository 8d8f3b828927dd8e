import numpy as np


def simplified_ademamix(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.99,
    beta_2=0.95,
    alpha=0.0,
    warmup_steps=0,
    min_beta_1=0.9,
    epsilon=1e-8,
):
    """Simplified AdEMAMix.

    Morwani, Vyas, Zhang and Kakade (2025), arXiv:2502.02431; half-lives and defaults as
    in the authors' code, https://github.com/DepenM/Simplified-AdEMAMix at dba14d0.
    """
    if t < warmup_steps:
        share = t / warmup_steps
        first, last = (np.log(0.5) / np.log(beta) - 1 for beta in (min_beta_1, beta_1))
        beta_1 = 0.5 ** (1 / ((1 - share) * first + share * last + 1))
    m = s["m"] = beta_1 * s.get("m", 0.0) + g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    v_hat = v / (1 - beta_2**t)
    return w - lr * (alpha * g + m) / (np.sqrt(v_hat) + epsilon)
