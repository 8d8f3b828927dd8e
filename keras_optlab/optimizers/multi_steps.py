"""MultiSteps."""

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Paper
from keras_optlab.engine.wrapper import Wrapper


class MultiSteps(Wrapper, family="accumulation"):
    r"""MultiSteps: one update of another optimizer by the mean of several gradients.

    With $k$ micro-batches for the update that comes next,

    $$\bar g = \frac1k \sum_{i=1}^k g_i$$

    is what clipping, transforms and the inner optimizer take for the gradient, after
    the last of them; nothing changes after the others. Where micro-batches are alike
    in size and the loss is a mean, that is the update by all of them as one batch. A
    $k$ that grows during training is a batch that grows without more memory.

    A micro-batch whose gradient holds a NaN or an infinity does not count: the window
    waits for another. With `gradient_accumulation_steps`, which every optimizer takes
    where $k$ stays the same, the window ends and the mean is over the others.

    Keras' `iterations` counts micro-batches, `updates` the updates. Schedules, that of
    $k$ too, count updates.

    Args:
        optimizer: The inner optimizer, any of ours.
        accumulation_steps: $k$ >= 1: a number, or a schedule whose value is rounded.

    Raises:
        ValueError: if the inner optimizer has `gradient_accumulation_steps`, or
            `sparse="lazy"`.

    Source: the name and the growing $k$ are those of optax, which also counts a mean
    over $k$. That a growing batch does what a falling rate does: Smith, Kindermans,
    Ying and Le, 2017, arXiv:1711.00489.

    >>> from keras_optlab import optimizers, schedules
    >>> growing = schedules.Piecewise([1000, 2000], [1, 2, 4])
    >>> optimizer = MultiSteps(optimizers.Adam(1e-3), accumulation_steps=growing)
    """

    accumulation_steps: FloatOrSchedule = Hyper(
        default=4, within=">= 1", integer=True, doc="micro-batches k of an update"
    )

    accumulates = True  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    paper = Paper(
        "Don't decay the learning rate, increase the batch size",
        "Smith, Kindermans, Ying and Le",
        2017,
        "1711.00489",
    )

    @classmethod
    def check(cls, optimizer, **kwargs):
        super().check(optimizer, **kwargs)
        for name, wrong in ("gradient_accumulation_steps", None), ("sparse", "dense"):
            value = getattr(optimizer, name)
            if value != wrong:
                raise ValueError(
                    f"MultiSteps takes an optimizer with {name}={wrong!r}. "
                    f"Received: {name}={value!r}"
                )

    def is_complete(self, count):
        steps = self.scalars.tensor(self.fields["accumulation_steps"], self.updates)
        return ops.cast(count, steps.dtype) >= ops.round(steps)
