"""Right and wrong uses of the package, as a type checker must see them.

`pyright -p tests/typing` checks this file; it is not run. Each wrong use is marked with
the error that it must be.
"""

from typing import assert_type

import keras

import keras_optlab as kol
from keras_optlab import optimizers
from keras_optlab.core import Hyper
from keras_optlab.optimizers import SGD, AdamW, Lookahead, Muon


def right_uses() -> None:
    """Make objects in ways that a type checker accepts."""

    AdamW()
    AdamW(1e-3, 0.01, beta_2=0.95, decay_mask="matrices", global_clipnorm=1.0)
    AdamW(kol.schedules.OneCycle(1e-3, warmup=0.1), epsilon_placement="inside")
    AdamW(keras.optimizers.schedules.CosineDecay(1e-3, 100))
    AdamW(lambda step: 0.1 / (1 + step))
    SGD(0.1, 0.9, True, clipnorm=kol.schedules.Linear(1.0, final=0.1))
    Muon(0.02, groups=[kol.Group("head", adamw=True)], slot_dtype="bfloat16")
    Lookahead(AdamW(1e-3), sync_period=10)
    optimizers.EMA(Lookahead(SGD()), groups=[kol.Group("*/bias", weight_decay=0.0)])
    optimizers.SAM(AdamW(), sam_rho=0.1)
    kol.Group("head", learning_rate=0.1, beta_1=0.95, frozen=False)
    SGD(gradient_transforms=[kol.transforms.Centralize()])

    assert_type(optimizers.create("adamw", learning_rate=1e-3), optimizers.Optimizer)
    adams: list[optimizers.Adam] = []
    adams.append(AdamW())
    print(kol.callbacks.Monitor().dataframe().columns, adams[0].current_learning_rate)

    class Small(optimizers.Optimizer, family="momentum"):
        """A rule of one's own."""

        scale: float = Hyper(default=1.0, doc="a factor")

    Small(0.1, scale=2.0)


def wrong_uses() -> None:
    """Make mistakes that it finds."""
    AdamW(lr=1e-3)  # pyright: ignore[reportCallIssue]
    AdamW(weight_dcay=0.1)  # pyright: ignore[reportCallIssue]
    AdamW("fast")  # pyright: ignore[reportArgumentType]
    AdamW(beta_1="0.9")  # pyright: ignore[reportArgumentType]
    AdamW(epsilon_placement="paper")  # pyright: ignore[reportArgumentType]
    AdamW(sparse="rows")  # pyright: ignore[reportArgumentType]
    AdamW(l3=0.1)  # pyright: ignore[reportCallIssue]
    SGD(decay=1e-4)  # pyright: ignore[reportCallIssue]
    SGD(groups=kol.Group("head"))  # pyright: ignore[reportArgumentType]
    optimizers.SAM(0.1)  # pyright: ignore[reportArgumentType]
    optimizers.SAM(rho=0.1)  # pyright: ignore[reportCallIssue]
    Lookahead(AdamW(), 10)  # pyright: ignore[reportCallIssue]
    kol.Group("x", lr=1)  # pyright: ignore[reportCallIssue]
    kol.Group("x", learning_rate="half")  # pyright: ignore[reportArgumentType]
    optimizers.Adamw()  # pyright: ignore[reportAttributeAccessIssue]
