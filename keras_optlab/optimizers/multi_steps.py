"""MultiSteps."""

from keras import ops

from keras_optlab.core import Choices, FloatOrSchedule, Hyper, Paper, Tuning
from keras_optlab.core.spans import needs_span
from keras_optlab.engine.wrapper import Wrapper


class MultiSteps(Wrapper, family="accumulation"):
    r"""MultiSteps: gradient accumulation; the number of micro-batches may be scheduled.

    After the last of $k$ micro-batches, clipping, transforms and the inner optimizer
    receive $\bar g = \frac1k \sum_{i=1}^k g_i$ as the gradient. The other micro-batches
    change no weights. If micro-batches have equal size and the loss is a mean, the
    update equals the one from all of them as a single batch. A growing $k$ grows the
    batch without more memory.

    A micro-batch with a NaN or infinite gradient does not count: the window waits for
    another. With `gradient_accumulation_steps`, which every optimizer takes for a
    constant $k$, the window ends and the mean is over the others.

    Keras' `iterations` counts micro-batches, `updates` counts updates. Schedules,
    including the one of $k$, count updates.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer`.
        accumulation_steps: $k$ >= 1: a number, or a schedule whose value is rounded.

    Raises:
        ValueError: if the inner optimizer has `gradient_accumulation_steps`, or
            `sparse="lazy"`.

    Source: optax for the name, the scheduled $k$ and the mean over $k$. A growing batch
    in place of a falling rate: Smith, Kindermans, Ying and Le, 2017, arXiv:1711.00489.

    >>> from keras_optlab import optimizers, schedules
    >>> growing = schedules.Piecewise([1000, 2000], [1, 2, 4])
    >>> optimizer = MultiSteps(optimizers.Adam(1e-3), accumulation_steps=growing)
    """

    accumulation_steps: FloatOrSchedule = Hyper(
        default=4, within=">= 1", integer=True, doc="micro-batches k per update"
    )

    accumulates = True  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    paper = Paper(
        "Don't decay the learning rate, increase the batch size",
        "Smith, Kindermans, Ying and Le",
        2017,
        "1711.00489",
    )
    tuning = Tuning(
        None,
        others={"accumulation_steps": Choices((1, 2, 4))},
        use_when="The batch does not fit in memory, or should grow during training.",
        not_when="The batch fits: a single pass is faster.",
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

    def updates_in(self, batches):
        field = self.fields["accumulation_steps"]
        if needs_span(self.scalars.values[field.name]):
            raise ValueError(
                "The number of updates of a `fit` depends on `accumulation_steps`. "
                f"Received: {self!r}. Give its schedule a length, `steps` in updates."
            )
        batches += int(ops.convert_to_numpy(self.window.good)) if self.built else 0
        first = update = int(ops.convert_to_numpy(self.updates))
        while (k := round(self.scalars.current(field, self.moment(update)))) <= batches:
            batches, update = batches - k, update + 1
        return update - first

    def is_complete(self, counts):
        steps = self.scalars.tensor(
            self.fields["accumulation_steps"], self.moment(self.updates)
        )
        return ops.cast(counts.good, steps.dtype) >= ops.round(steps)
