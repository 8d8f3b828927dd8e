import numpy as np


def ademamix(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    beta_3=0.9999,
    alpha=5.0,
    warmup_steps=0,
    epsilon=1e-8,
):
    """AdEMAMix.

    Pagliardini, Ablin and Grangier (2024), arXiv:2409.03137, algorithm 1; its schedule
    of beta_3 is linear in the half-life.
    """
    share = min(t / warmup_steps, 1.0) if warmup_steps else 1.0
    mixed = (1 - share) * np.log(beta_3) + share * np.log(beta_1)
    beta_t = np.exp(np.log(beta_1) * np.log(beta_3) / mixed)
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    slow = s["slow"] = beta_t * s.get("slow", 0.0) + (1 - beta_t) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    return w - lr * (m_hat + share * alpha * slow) / (np.sqrt(v_hat) + epsilon)
