"""Draw every schedule of the package, with several values of its arguments.

    python examples/schedules.py

It saves one picture, to schedules.png or the path given as an argument. It needs
matplotlib. Set KERAS_BACKEND to tensorflow (the default), jax or torch.
"""

import argparse
import sys
from pathlib import Path

from keras_optlab.schedules import (
    BetaWarmup,
    Constant,
    Cosine,
    CosineRestarts,
    Cyclical,
    Exponential,
    InverseSqrt,
    InverseTime,
    Join,
    Linear,
    OneCycle,
    Piecewise,
    Polynomial,
    PowerCool,
    Rex,
    Warmup,
    WarmupStableDecay,
)

STEPS = 1000
SHOWN = 1150  # a little more, to show the values after the end


def panels():
    """Return the panels of the picture, row by row: title and curves by label."""
    return {
        "Constant": {"": Constant(0.5)},
        "Linear": {
            "final=0": Linear(1.0, STEPS),
            "final=0.3": Linear(1.0, STEPS, final=0.3),
        },
        "Polynomial": {
            f"power={power:g}": Polynomial(1.0, STEPS, power=power)
            for power in (0.5, 2.0, 4.0)
        },
        "Piecewise": {"": Piecewise([400, 700], levels=[1.0, 0.3, 0.1])},
        "Exponential": {
            "staircase=False": Exponential(1.0, steps=200, decay_rate=0.5),
            "staircase=True": Exponential(
                1.0, steps=200, decay_rate=0.5, staircase=True
            ),
        },
        "InverseTime": {
            f"decay_rate={rate:g}": InverseTime(1.0, steps=200, decay_rate=rate)
            for rate in (1.0, 4.0)
        },
        "InverseSqrt": {
            "alone": InverseSqrt(1.0, steps=100),
            "after Warmup": Warmup(InverseSqrt(1.0, steps=100), steps=100),
        },
        "PowerCool": {
            f"power={power:g}": PowerCool(1.0, STEPS, power=power)
            for power in (1.2, 2.0)
        },
        "Rex": {"final=0": Rex(1.0, STEPS), "final=0.3": Rex(1.0, STEPS, final=0.3)},
        "Cosine": {
            "final=0": Cosine(1.0, STEPS),
            "final=0.3": Cosine(1.0, STEPS, final=0.3),
        },
        "CosineRestarts": {
            "t_mul=2": CosineRestarts(1.0, steps=150),
            "t_mul=1, m_mul=0.7": CosineRestarts(1.0, steps=250, t_mul=1, m_mul=0.7),
        },
        "Cyclical": {
            "triangular": Cyclical(0.1, 1.0, steps=400),
            "triangular2": Cyclical(0.1, 1.0, steps=400, mode="triangular2"),
            "exp_range": Cyclical(0.1, 1.0, 400, mode="exp_range", gamma=0.999),
        },
        "OneCycle": {
            f"warmup={share:g}": OneCycle(1.0, STEPS, warmup=share)
            for share in (0.3, 0.1)
        },
        "WarmupStableDecay": {
            shape: WarmupStableDecay(1.0, STEPS, warmup=0.1, decay=0.4, shape=shape)
            for shape in ("1-sqrt", "linear", "cosine")
        },
        "Warmup": {
            "then Cosine": Warmup(Cosine(1.0, steps=800), steps=200),
            "then a number": Warmup(0.6, steps=200, initial=0.2),
        },
        "Join": {
            "Linear, 0.4, Rex": Join(
                [Linear(1.0, 300, final=0.4), 0.4, Rex(0.8, 400)], boundaries=[300, 600]
            )
        },
        "BetaWarmup": {
            "initial=0.5": BetaWarmup(0.5, steps=800, final=0.999),
            "initial=0.9": BetaWarmup(0.9, steps=800, final=0.999),
        },
        "Scaled": {
            "0.5 * Cosine": 0.5 * Cosine(1.0, STEPS),
            "Cosine": Cosine(1.0, STEPS),
        },
    }


def draw(path):
    """Save the picture, if matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print(f"For a picture of them: {sys.executable} -m pip install matplotlib")
        return
    figure = Figure(figsize=(15, 10), layout="constrained")
    grid, shown = figure.subplots(4, 5, sharex=True, sharey=True), panels()
    for spare in grid.flat[len(shown) :]:
        spare.remove()
    for axes, (title, curves) in zip(grid.flat, shown.items(), strict=False):
        for label, schedule in curves.items():
            schedule.plot(SHOWN, ax=axes)
            axes.lines[-1].set_label(label)
        axes.set_title(title, family="monospace", weight="bold")
        if any(curves):
            axes.legend(fontsize="small", loc="upper right")
        axes.grid(alpha=0.3)
        axes.label_outer()
    axes.set_ylim(0, 1.5)  # for all panels, with space for the legends
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"Saved a picture of them: {path}")


def main():
    parser = argparse.ArgumentParser(description="Draw all learning rate schedules.")
    parser.add_argument(
        "path",
        type=Path,
        nargs="?",
        default="schedules.png",
        help="default: %(default)s",
    )
    draw(parser.parse_args().path)


if __name__ == "__main__":
    main()
