import numpy as np

from keras_optlab.verify.oracle.adam import adam


def muon(
    w,
    g,
    s,
    t,
    lr,
    *,
    momentum=0.95,
    nesterov=True,
    ns_steps=5,
    coefficients="keras",
    gram=False,
    scaling="moonlight",
    rms_rate=0.2,
    period=1,
    matrices="keras",
    weight_decay=0.0,
):
    """Muon; AdamW for weights that are no matrices.

    Jordan et al. (2024), and Liu et al. (2025), arXiv:2502.16982, for the scaling.
    """
    if g.ndim < 2 or (g.ndim > 2 and matrices == "keras"):
        return adam(w * (1 - lr * 0.004), g, s, t, lr)
    m = s["m"] = momentum * s.get("m", 0.0) + g
    x = (g + momentum * m if nesterov else m).reshape(-1, g.shape[-1])
    rows, columns = x.shape
    if (t - 1) % period == 0:
        triples = coefficients_of(coefficients, ns_steps)
        s["o"] = newton_schulz(x, ns_steps, triples).reshape(g.shape)
    factor = rms_rate * np.sqrt(max(rows, columns)) if rms_rate else 1.0
    if scaling == "jordan":
        factor = np.sqrt(max(1, columns / max(rows, 1)))
    return w - lr * weight_decay * w - lr * factor * s["o"]


def newton_schulz(x, steps, triples=None):
    x = x / (np.sqrt(np.sum(x**2)) + 1e-7)
    for a, b, c in triples or steps * [JORDAN]:
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


JORDAN = (3.4445, -4.775, 2.0315)


def coefficients_of(name, steps):
    """Jordan et al. (2024), or Amsel et al. (2025), arXiv:2505.16932, algorithm 1."""
    if name in ("keras", "jordan"):
        return steps * [JORDAN]
    if name != "polar_express":
        return [name[min(i, len(name) - 1)] for i in range(steps)]
    table = [
        (8.28721201814563, -23.595886519098837, 17.300387312530933),
        (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
        (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
        (3.3184196573706015, -2.488488024314874, 0.51004894012372),
        (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
        (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
        (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    ]
    table = [(a / 1.01, b / 1.01**3, c / 1.01**5) for a, b, c in table]
    table += [(1.875, -1.25, 0.375)] * steps
    a, b, c = table[0]  # of a matrix with the norm 1 / 1.01
    return [(a / 1.01, b / 1.01**3, c / 1.01**5), *table[1:steps]]
