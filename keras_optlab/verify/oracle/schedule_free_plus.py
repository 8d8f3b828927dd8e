import numpy as np

from keras_optlab.verify.problems import batch_loss


def schedule_free_plus(
    ws,
    gs,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.95,
    interpolation=0.9,
    final_interpolation=0.965,
    anneal_steps=0,
    average_warmup=0,
    step_power=0.0,
    weight_lr_power=2.0,
    polyak_beta=0.0,
    epsilon=1e-8,
    weight_decay=0.0,
):
    """ScheduleFree+, with x, y and z stored.

    Defazio (2026), arXiv:2605.19095; the author's class AdamCScheduleFreePlusPaper,
    https://github.com/facebookresearch/schedule_free at 70785b5.
    """
    beta = interpolation
    if anneal_steps:
        done = min((t - 1) / anneal_steps, 1.0)
        ends = np.log(1 - interpolation), np.log(1 - final_interpolation)
        beta = 1 - np.exp(ends[0] * (1 - done) + ends[1] * done)
    xs, zs = s.get("x", ws), s.get("z", ws)
    slope = sum(np.sum(g * (z - x)) for g, z, x in zip(gs, zs, xs, strict=True))
    size = sum(np.abs(g).sum() for g in gs) * np.sqrt(np.pi / 2)
    size = s["size"] = polyak_beta * s.get("size", 0.0) + (1 - polyak_beta) * size
    rate = lr * max(0.0, batch_loss(gs) + beta * slope) / (size / (1 - polyak_beta**t))
    largest = s["largest"] = max(rate, s.get("largest", 0.0))
    c = 1.0
    if t > average_warmup:
        weight = t**step_power * largest**weight_lr_power
        s["total"] = s.get("total", 0.0) + weight
        c = weight / s["total"]
    ms, vs = s.get("m", [0.0] * len(ws)), s.get("v", [0.0] * len(ws))
    ms = s["m"] = [beta_1 * m + (1 - beta_1) * g for m, g in zip(ms, gs, strict=True)]
    vs = s["v"] = [
        beta_2 * v + (1 - beta_2) * g**2 for v, g in zip(vs, gs, strict=True)
    ]
    moments = [
        (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        for m, v in zip(ms, vs, strict=True)
    ]
    zs = s["z"] = [
        z - rate**2 * weight_decay * y - rate * d
        for z, y, d in zip(zs, ws, moments, strict=True)
    ]
    xs = s["x"] = [(1 - c) * x + c * z for x, z in zip(xs, zs, strict=True)]
    return [beta * x + (1 - beta) * z for x, z in zip(xs, zs, strict=True)]
