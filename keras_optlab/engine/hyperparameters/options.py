"""The arguments that every optimizer has."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Sequence
from typing import Any

import keras

from keras_optlab.core import (
    Choice,
    Declared,
    Flag,
    FloatOrSchedule,
    Group,
    Hyper,
    LearningRate,
    LearningRateLike,
    Option,
    Values,
)
from keras_optlab.core.fields import Field
from keras_optlab.core.groups import check_groups
from keras_optlab.core.rates import LearningRateField
from keras_optlab.engine.hyperparameters import checks
from keras_optlab.engine.hyperparameters.checks import CLIPPINGS
from keras_optlab.transforms import Transform


class Options(Declared):
    r"""What every optimizer can be told, whatever its algorithm.

    Where Keras has a class of the same name, positional arguments are Keras' own, in
    its order; all others are given by name.

    Args:
        learning_rate: Step size $\eta$ >= 0: any number, a schedule, or a callable of
            no argument or of the step. Schedules count updates, from 0.
        weight_decay: Decoupled decay >= 0: $w \leftarrow w - \eta \lambda w$ before the
            step. `None` is none.
        clipnorm: Shorten each gradient to this norm, > 0.
        clipvalue: Clip each entry of the gradients to this size, > 0.
        global_clipnorm: Shorten all gradients together to this norm, > 0.
        adaptive_clipnorm: Shorten the gradient of each unit to this share of the norm
            of its weights, > 0; see `transforms.AdaptiveClip`.
        use_ema: Keep a moving average of the weights, and end training with it.
        ema_momentum: Its decay factor, [0, 1].
        ema_overwrite_frequency: Write the average into the weights every so many
            updates; `None` is only at the end.
        loss_scale_factor: Constant factor on the loss, divided out of the gradients.
        gradient_accumulation_steps: Micro-batches >= 2 for each update.
        name: Name of the optimizer; by default made from its class.
        l1: Penalty $l_1 \sum |w|$, added to the gradient before clipping; >= 0.
        l2: Penalty $l_2 \sum w^2$, added to the gradient before clipping; >= 0.
        l1_proximal: Soft-threshold by $\eta l_1$ after the step, which makes exact
            zeros; >= 0.
        decay_mask: Which weights `weight_decay`, `l1`, `l2` and `l1_proximal` apply to:
            `None` for all, `"matrices"` for those of more than one axis, or a function
            of the variable. `exclude_from_weight_decay` takes out more.
        groups: `Group`s of layers or weights with hyperparameters of their own.
        gradient_transforms: From `keras_optlab.transforms`; they follow the clipping.
        update_transforms: From `keras_optlab.transforms`; they precede the decay.
        skip_non_finite: Skip a step whose gradients hold a NaN or an infinity, or have
            a norm above 1e15 (float64: 1e150), whose squares would soon overflow.
            Nothing changes but `skipped_steps`. In `fit` and `train_on_batch` the
            running statistics of normalization stay as before, too. Under accumulation
            such a micro-batch is left out of the average.
        stop_after_skips: Steps >= 1 skipped one after the other at which `fit` stops,
            and a loop of one's own is warned; `None` is never.
        sparse: What a gradient with rows, as an embedding has it, leads to. `"dense"`
            is what the algorithm says: all rows are updated, also those without a
            gradient. Where these stay as they are (SGD without momentum, SignSGD and
            Adagrad, without decay, transforms or averages), only the touched rows are
            looked at. `"lazy"` updates the touched rows alone, with their state and
            decay, and costs as much as they do; for rules that are elementwise. Of
            Keras' backends, only TensorFlow gives an `Embedding` such a gradient. The
            parts of a row that occurs twice are added up first; Keras' Adam, RMSprop
            and others square each part, so their results differ from those of the same
            gradient in full.
        slot_dtype: `"bfloat16"` halves the memory of a rule's state. It is rounded
            stochastically, so that slow means still move, and the same way in each
            run. `None` is the type that the rule computes in, float32 or wider.

    Raises:
        TypeError: for an argument of the wrong kind or an unknown name.
        ValueError: for one out of range; for a schedule that leaves the range, looked
            up at its ends, its boundaries and up to 1,000 steps between; for more than
            one of `clipnorm`, `clipvalue`, `global_clipnorm` and `adaptive_clipnorm`.

    >>> from keras_optlab import optimizers
    >>> optimizers.SGD(clipnorm=1.0, clipvalue=0.5)
    Traceback (most recent call last):
        ...
    ValueError: At most one of clipnorm, clipvalue, global_clipnorm, ...
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    weight_decay: FloatOrSchedule | None = Hyper(
        default=None, within=">= 0", doc="decoupled decay λ", kw_only=True
    )
    clipnorm: FloatOrSchedule | None = Hyper(
        default=None, doc="largest norm of a gradient", kw_only=True
    )
    clipvalue: FloatOrSchedule | None = Hyper(
        default=None, doc="largest entry of a gradient", kw_only=True
    )
    global_clipnorm: FloatOrSchedule | None = Hyper(
        default=None, doc="largest norm of all gradients", kw_only=True
    )
    adaptive_clipnorm: FloatOrSchedule | None = Hyper(
        default=None, doc="largest norm of a gradient over its weights'", kw_only=True
    )
    use_ema: bool = Flag(
        default=False, doc="average the weights", kw_only=True, keras_owned=True
    )
    ema_momentum: float = Hyper(
        default=0.99,
        within="[0, 1]",
        doc="decay factor of the average",
        adjustable=False,
        kw_only=True,
        keras_owned=True,
    )
    ema_overwrite_frequency: int | None = Hyper(
        default=None,
        within=">= 1",
        doc="updates between two overwritings",
        adjustable=False,
        integer=True,
        kw_only=True,
        keras_owned=True,
    )
    loss_scale_factor: float | None = Hyper(
        default=None,
        doc="factor on the loss",
        adjustable=False,
        kw_only=True,
        keras_owned=True,
    )
    gradient_accumulation_steps: int | None = Hyper(
        default=None,
        within=">= 2",
        doc="micro-batches for each update",
        adjustable=False,
        integer=True,
        kw_only=True,
        keras_owned=True,
    )
    name: str | None = Option(
        default=None,
        doc="name of the optimizer",
        check=checks.check_name,
        kw_only=True,
        keras_owned=True,
    )
    l1: FloatOrSchedule | None = Hyper(
        default=None, within=">= 0", doc="penalty on |w|", kw_only=True
    )
    l2: FloatOrSchedule | None = Hyper(
        default=None, within=">= 0", doc="penalty on w²", kw_only=True
    )
    l1_proximal: FloatOrSchedule | None = Hyper(
        default=None, within=">= 0", doc="soft threshold after the step", kw_only=True
    )
    decay_mask: Any = Option(
        default=None,
        doc="weights that decay",
        check=checks.check_mask,
        kw_only=True,
    )
    groups: Sequence[Group] = Option(
        default=(), doc="parameter groups", check=check_groups, kw_only=True
    )
    gradient_transforms: Sequence[Transform] = Option(
        default=(),
        doc="changes to gradients",
        check=checks.check_gradient_transforms,
        kw_only=True,
    )
    update_transforms: Sequence[Transform] = Option(
        default=(),
        doc="changes to updates",
        check=checks.check_update_transforms,
        kw_only=True,
    )
    skip_non_finite: bool = Flag(
        default=True, doc="skip steps with NaN or infinite gradients", kw_only=True
    )
    stop_after_skips: int | None = Hyper(
        default=100,
        within=">= 1",
        doc="skipped steps at which to stop",
        adjustable=False,
        integer=True,
        optional=True,
        kw_only=True,
    )
    sparse: str = Choice(
        default="dense",
        choices=("dense", "lazy"),
        doc="update by a sparse gradient",
        kw_only=True,
    )
    slot_dtype: str | None = Option(
        default=None,
        doc="type of a rule's state",
        check=checks.check_slot_dtype,
        kw_only=True,
    )
    learning_rate_scale: float = Hyper(
        default=1.0, within=">= 0", doc="factor on the rate", kw_only=True
    )

    @classmethod
    def positional(cls) -> tuple[str, ...]:
        """Return the arguments that need no name in a call, in order.

        Where Keras has a class of the same name they are Keras' own.
        """
        theirs = getattr(keras.optimizers, cls.__name__, None)
        if not isinstance(theirs, type):
            return super().positional()
        parameters = inspect.signature(theirs).parameters.values()
        names = [p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
        return tuple(itertools.takewhile(lambda name: name in cls.fields, names))

    @classmethod
    def _is_main(cls, field: Field) -> bool:
        """Whether it is of the rule, or the learning rate."""
        common = Options.fields.get(field.name)
        return field is not common or isinstance(field, LearningRateField)

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every argument."""
        values = super().bind(*args, **kwargs)
        given = [k for k in CLIPPINGS if getattr(values, k) is not None]
        if len(given) > 1:
            raise ValueError(
                f"At most one of {', '.join(CLIPPINGS)} can be set. Received: "
                + ", ".join(f"{k}={getattr(values, k)!r}" for k in given)
                + ". Use gradient_transforms to combine several."
            )
        if values.sparse == "lazy":
            checks.check_lazy(values)
        return values


KERAS_OWNED = [k for k, f in Options.fields.items() if f.keras_owned]
