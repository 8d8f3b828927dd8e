"""Schedule-free learning (arXiv:2405.15682) with the steps of another rule."""


def schedule_free(
    inner, ys, gs, s, t, *, interpolation=0.9, average_warmup=0, average_power=2.0
):
    beta, warm = interpolation, min(1.0, t / max(average_warmup, 1))
    xs, zs = s.get("x", s["start"]), s.get("z", s["start"])
    s["largest"] = max(s.get("largest", 0.0), inner.rate * warm)
    s["total"] = s.get("total", 0.0) + s["largest"] ** average_power
    c = s["largest"] ** average_power / s["total"]
    new = inner(ys, gs, warm)
    s["z"] = [z + w - y for z, w, y in zip(zs, new, ys, strict=True)]
    s["x"] = [(1 - c) * x + c * z for x, z in zip(xs, s["z"], strict=True)]
    return [(1 - beta) * z + beta * x for x, z in zip(s["x"], s["z"], strict=True)]
