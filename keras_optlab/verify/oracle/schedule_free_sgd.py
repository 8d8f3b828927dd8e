"""Schedule-free SGD: equations 3 to 5 of arXiv:2405.15682, with x, y and z stored."""


def schedule_free_sgd(
    y, g, s, t, lr, weight_decay=0.0, beta_1=0.9, warmup_steps=0, weight_lr_power=2.0
):
    direction = g + weight_decay * y
    return interpolated(y, direction, s, t, lr, beta_1, warmup_steps, weight_lr_power)


def interpolated(y, direction, s, t, lr, beta, warmup_steps, power):
    x, z = s.get("x", s["start"]), s.get("z", s["start"])
    rate = lr * min(1.0, t / max(warmup_steps, 1))
    largest = max(rate, s.get("largest", 0.0))
    total = s.get("total", 0.0) + largest**power
    c = largest**power / total
    z = z - rate * direction
    x = (1 - c) * x + c * z
    s.update(x=x, z=z, largest=largest, total=total)
    return (1 - beta) * z + beta * x
