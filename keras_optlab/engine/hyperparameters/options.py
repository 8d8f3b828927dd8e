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
from keras_optlab.engine.backend.torch_habits import check_no_weights
from keras_optlab.engine.hyperparameters import checks
from keras_optlab.engine.hyperparameters.checks import CLIPPINGS
from keras_optlab.transforms import Transform


class Options(Declared):
    r"""The arguments of every optimizer.

    If Keras has a class of the same name, positional arguments are those of Keras, in
    the same order. All other arguments are passed by name.

    Args:
        learning_rate: Step size $\eta$ >= 0: a number, a schedule, or a callable of no
            argument or of the step. Steps are updates, counted from 0.
        weight_decay: Decoupled weight decay $\lambda$ >= 0, applied before the step:
            $w \leftarrow w - \eta \lambda w$. `None`: no weight decay.
        clipnorm: Scale each gradient down to this norm if it is larger; > 0. At most
            one of the four clipping arguments can be set.
        clipvalue: Clip each entry of the gradients to [-`clipvalue`, `clipvalue`]; > 0.
        global_clipnorm: Scale all gradients down if their joint norm is larger; > 0.
        adaptive_clipnorm: Scale the gradient of each unit down to this fraction of the
            norm of the unit's weights; > 0. See `transforms.AdaptiveClip`.
        use_ema: Compute a moving average of the weights, and write it into the weights
            at the end of training.
        ema_momentum: Coefficient of this average, in [0, 1].
        ema_overwrite_frequency: Also write the average into the weights every n
            updates, n >= 1. `None`: only at the end of training.
        loss_scale_factor: Constant factor > 0 on the loss, against underflow. The
            gradients are divided by it.
        gradient_accumulation_steps: Number of micro-batches >= 2 whose mean gradient
            makes one update.
        name: Name of the optimizer; the default derives from its class.
        l1: Coefficient >= 0 of the penalty $l_1 \sum |w|$. Its gradient is added before
            clipping.
        l2: Coefficient >= 0 of the penalty $l_2 \sum w^2$. Its gradient is added before
            clipping.
        l1_proximal: Coefficient >= 0 of an L1 penalty by a proximal step: after the
            step, weights are soft-thresholded by $\eta$ times this, which gives exact
            zeros.
        decay_mask: Weights to which `weight_decay`, `l1`, `l2` and `l1_proximal` apply:
            `None` for all, `"matrices"` for those with two or more axes, or a function
            from the variable to bool. `exclude_from_weight_decay` excludes more.
        decay_schedule: `None`, or `"corrected"` for $w \leftarrow w -
            \frac{\eta^2}{\eta_{\max}} \lambda w$ on weights with two or more axes,
            where $\eta_{\max}$ is the peak of the learning rate's schedule: AdamC
            (Defazio, 2025, arXiv:2506.02285), for every rule. The source derives that,
            in a layer followed by a normalization, the ratio of gradient to weight norm
            settles at $\sqrt{2 \lambda / \eta}$ under plain decay, so that gradients
            grow as the rate falls, and is constant with the correction. The output
            layer, which no normalization follows, keeps plain decay where `compile`
            shows it the model (not a subclassed one); elsewhere by `Group("head",
            decay_schedule=None)`. The peak of a schedule of this package is known; of a
            `Join`, of another schedule, a function or a number that is changed, it is
            the largest rate so far. A constant rate means no change.
            `learning_rate_scale` counts as part of the rate.
        groups: `Group`s: layers or weights with their own hyperparameters.
        gradient_transforms: Transforms from `keras_optlab.transforms`, applied to the
            gradients after clipping.
        update_transforms: Transforms from `keras_optlab.transforms`, applied to the
            updates before they are added to the weights.
        skip_non_finite: Skip a step whose gradients contain a NaN or an infinity, or
            have a global norm above 1e15 (float64: 1e150), whose square could overflow
            later. Weights and state stay unchanged, and `skipped_steps` counts the
            step. In `fit` and `train_on_batch`, the running statistics of normalization
            layers stay unchanged, too. With gradient accumulation, such a micro-batch
            is left out of the mean.
        stop_after_skips: Number of consecutive skipped steps >= 1 after which `fit`
            stops; a custom loop gets a warning. `None`: never.
        sparse: How to apply a sparse gradient, which contains only some rows of an
            embedding. `"dense"` updates all rows, as the algorithm defines: rows
            without a gradient can change by momentum or weight decay. If they cannot
            (SGD without momentum, SignSGD and Adagrad, without weight decay, transforms
            or averages), only the touched rows are computed. `"lazy"` updates only the
            touched rows and their state, which is faster for large tables; the rule
            must be elementwise. Of Keras' backends, only TensorFlow computes sparse
            gradients of an `Embedding`. Repeated rows are summed first. Keras' Adam,
            RMSprop and others square each part instead, so their results differ from
            those of the same gradient in dense form.
        slot_dtype: `"bfloat16"` halves the memory of moments. Values are rounded
            stochastically, so that small changes of an average are not lost; the
            rounding is the same in each run. Factors of matrices, as in `Shampoo`, stay
            float32. `"int8"` stores one byte an entry: the nearest of 256 values
            between -1 and 1, times a float32 scale for each 256 entries (Dettmers et
            al., 2021, arXiv:2110.02861). State stays float32 for weights with less than
            4096 entries, for embeddings (a path that ends in `embeddings`), and where a
            slot holds weights. The rule must be elementwise.
            `None`: the dtype that the rule computes in, float32 or wider.
        master_weights: Keep a float32 copy of each weight in bfloat16 or float16 in the
            optimizer's state, add the steps to it, and set the weight to the rounded
            copy. Without it, steps smaller than the spacing of the weight's dtype are
            lost. Where a weight is written from elsewhere, its value counts.
        shard_state: Whether each device of a `keras.distribution.DataParallel` on JAX
            keeps only its share of the state, which divides that memory by the number
            of devices: ZeRO stage 1 (Rajbhandari et al., 2019, arXiv:1910.02054). The
            updates are the same. Variables of fewer than 256 entries stay whole. A
            saved model loads on any number of devices; where there is no distribution,
            a warning says that the state is whole.
        learning_rate_scale: Factor >= 0 on the learning rate, which callbacks such as
            `ReduceOnPlateau` change.

    Raises:
        TypeError: for an argument of the wrong type or an unknown name.
        ValueError: for an argument out of range; for a schedule with a value out of
            range, checked at its ends, its boundaries and up to 1,000 steps between;
            for more than one of `clipnorm`, `clipvalue`, `global_clipnorm` and
            `adaptive_clipnorm`; before the first update for `shard_state` without a
            distribution, or on another backend than JAX.

    >>> from keras_optlab import optimizers
    >>> optimizers.SGD(clipnorm=1.0, clipvalue=0.5)
    Traceback (most recent call last):
        ...
    ValueError: At most one of clipnorm, clipvalue, global_clipnorm, ...
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    weight_decay: FloatOrSchedule | None = Hyper(
        default=None, within=">= 0", doc="decoupled weight decay λ", kw_only=True
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
        default=None, doc="largest ratio of gradient norm to weight norm", kw_only=True
    )
    use_ema: bool = Flag(
        default=False, doc="moving average of weights", kw_only=True, keras_owned=True
    )
    ema_momentum: float = Hyper(
        default=0.99,
        within="[0, 1]",
        doc="coefficient of the average",
        adjustable=False,
        kw_only=True,
        keras_owned=True,
    )
    ema_overwrite_frequency: int | None = Hyper(
        default=None,
        within=">= 1",
        doc="updates between two overwrites",
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
        doc="weights with weight decay and penalties",
        check=checks.check_mask,
        kw_only=True,
    )
    decay_schedule: str | None = Option(
        default=None,
        doc="how weight decay follows the learning rate",
        check=checks.check_decay_schedule,
        by_group=True,
        kw_only=True,
    )
    groups: Sequence[Group] = Option(
        default=(), doc="parameter groups", check=check_groups, kw_only=True
    )
    gradient_transforms: Sequence[Transform] = Option(
        default=(),
        doc="transforms of gradients",
        check=checks.check_gradient_transforms,
        kw_only=True,
    )
    update_transforms: Sequence[Transform] = Option(
        default=(),
        doc="transforms of updates",
        check=checks.check_update_transforms,
        kw_only=True,
    )
    skip_non_finite: bool = Flag(
        default=True, doc="skip steps with NaN or infinite gradients", kw_only=True
    )
    stop_after_skips: int | None = Hyper(
        default=100,
        within=">= 1",
        doc="consecutive skipped steps at which to stop",
        adjustable=False,
        integer=True,
        optional=True,
        kw_only=True,
    )
    sparse: str = Choice(
        default="dense",
        choices=("dense", "lazy"),
        doc="how to apply sparse gradients",
        kw_only=True,
    )
    slot_dtype: str | None = Option(
        default=None,
        doc="dtype of the rule's state",
        check=checks.check_slot_dtype,
        kw_only=True,
    )
    master_weights: bool = Flag(
        default=False,
        doc="float32 copies of bfloat16 and float16 weights",
        kw_only=True,
    )
    shard_state: bool = Flag(
        default=False, doc="divide the state over the devices", kw_only=True
    )
    learning_rate_scale: float = Hyper(
        default=1.0, within=">= 0", doc="factor on the learning rate", kw_only=True
    )

    @classmethod
    def positional(cls) -> tuple[str, ...]:
        """Return the names of the positional arguments, in order.

        If Keras has a class of the same name, they are those of Keras.
        """
        theirs = getattr(keras.optimizers, cls.__name__, None)
        if not isinstance(theirs, type):
            return super().positional()
        parameters = inspect.signature(theirs).parameters.values()
        names = [p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
        return tuple(itertools.takewhile(lambda name: name in cls.fields, names))

    @classmethod
    def _is_main(cls, field: Field) -> bool:
        """Return whether the argument is the rule's own, or the learning rate."""
        common = Options.fields.get(field.name)
        return field is not common or isinstance(field, LearningRateField)

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return the validated values of all arguments."""
        default = cls.fields["learning_rate"].default
        check_no_weights(cls.__name__, default, args, kwargs)
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
