"""Figures of gradients that cost more than norms: noise, curvature, direction."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import tree

from keras_optlab.callbacks.base.sample import LEAST, Sample
from keras_optlab.callbacks.base.statistics import StatisticsCallback
from keras_optlab.core.arguments import number
from keras_optlab.core.errors import LONGEST, shown
from keras_optlab.engine.backend.keras_hooks import fit_arguments
from keras_optlab.engine.backend.sample_gradients import SampleGradients
from keras_optlab.engine.backend.trainer_adapter import training_part
from keras_optlab.engine.statistics.noise_scale import NoiseScale

COSINE, NOISE, SHARPNESS = "gradient_cosine", "gradient_noise_scale", "sharpness"
SIGNALS = COSINE, NOISE, SHARPNESS


class GradientSignals(StatisticsCallback):
    r"""Figures of the gradient every few steps: direction, noise and curvature.

    `TensorBoard` and `Monitor` in the same `fit` log them, wherever they are in the
    list. They are also in `recorded`.

    | signal | tag |
    |---|---|
    | `gradient_cosine` | `optimizer/gradient_cosine` |
    | `gradient_noise_scale` | `optimizer/gradient_noise_scale` |
    | `sharpness` | `optimizer/sharpness` |

    **Gradient cosine**, of the gradients of two consecutive updates, both as the
    optimizer receives them, before clipping:

    $$\cos(g_{t-1}, g_t) = \frac{g_{t-1} \cdot g_t}{\|g_{t-1}\| \, \|g_t\|}.$$

    About 0: the gradients are mostly noise. Above 0: the steps agree, a higher rate may
    do. Below 0: the steps jump from one side of a valley to the other. With gradient
    accumulation $g$ is the mean of a window, with `SAM` the gradient that it uses.

    **Gradient noise scale**, in examples, of the true gradient $G$ and the covariance
    $\Sigma$ of the gradient of one example:

    $$B_\text{simple} = \frac{\operatorname{tr} \Sigma}{|G|^2}.$$

    A batch that is much smaller is mostly noise, and twice the batch allows about twice
    the rate; one that is much larger gains little. With $\bar g$ the mean gradient of n
    micro-batches of m examples, and $s^2$ the sum over all weights of the variance of a
    micro-batch's gradient,

    $$\operatorname{tr} \Sigma \approx m s^2, \qquad
      |G|^2 \approx |\bar g|^2 - s^2 / n.$$

    Both are averaged over the measurements, with 0.8 of the last average and 0.2 of the
    new value, and then divided. If the average of $|G|^2$ is not above 0, there are too
    few examples to tell, and there is no point.

    **Sharpness** along the step $u$ that the training has just taken, as the mean
    curvature of the loss on its way, from the gradients at both ends:

    $$\frac{u^\top (\nabla L(w) - \nabla L(w - u))}{u^\top u}
      = \int_0^1 \frac{u^\top \nabla^2 L(w - su)\, u}{u^\top u} \, ds.$$

    Gradient descent with the rate $\eta$ overshoots along directions of more than
    $2 / \eta$, the edge of stability. With momentum, Adam and others the limit is
    another one: look at how it changes. $u$ is the difference of the weights, with
    weight decay; with `steps_per_execution` that of a whole execution. No second
    derivatives are needed, so that every layer can be measured. In a step that changed
    nothing, as one that was skipped, there is no point. Steps that change the weights
    by less than about 1e-6 of their size give rounding errors.

    Noise and sharpness are those of the loss of the examples, with the weights that
    train (not an average of them). They are measured between two steps, on random
    examples, always the same ones in a repeated training. Dropout is off and
    BatchNormalization uses its moving statistics. Penalties of the layers are part of
    the loss, `weight_decay`, `l1` and `l2` of the optimizer are not. The model and its
    training do not change.

    | signal | works with | cost |
    |---|---|---|
    | `gradient_cosine` | ours | in two of `every` updates a copy of a gradient |
    | `gradient_noise_scale` | any optimizer | gradients of `examples` examples |
    | `sharpness` | any optimizer | as many gradients again, a copy of the weights |

    The measurements are made every `every` steps, with memory for three gradients. The
    copy of a gradient is kept in the optimizer as long as that lives. On JAX it passes
    through every step, which costs about as much as copying it.

    A custom `train_step` may minimize another loss than `compute_loss`, which is the
    one that is measured: then only the cosine is right. With several optimizers by
    layer, pass one as `optimizer` for its cosine; the others are of all weights.

    Args:
        every: steps between two points, the first after step 1; integer >= 1.
        data: training examples, (x, y) or (x, y, sample_weight): arrays, of which other
            ones are drawn for each point; or a tf.data.Dataset, PyDataset or
            DataLoader, of which the first `examples` are read once, in the order in
            which they come. `None` uses the data of `fit`.
        signals: names of those to measure. `None` is all; without `gradient_cosine` if
            the optimizer is not of this package.
        examples: examples for a point; integer, a multiple of `micro_batch`, at least
            twice as large. If there are fewer, all of them. More of them lower the
            error.
        micro_batch: m, examples in a micro-batch; integer >= 1. More of them take less
            time.
        optimizer: the optimizer whose steps to count and whose gradients to compare, if
            a custom training step uses another one than the model's; `None` is the
            model's.

    Attributes:
        recorded: The points: each a step, and the figures by tag.

    Raises:
        TypeError: if an argument has a wrong type; in `fit`, before training, if
            `gradient_cosine` is asked of an optimizer that is not of this package.
        ValueError: if an argument is out of range; in `fit`, before training, if there
            are no data, if they do not fit the model, or if the model has no loss.

    Warns:
        UserWarning: once, if a custom `train_step` may minimize another loss; once, if
            the optimizer takes no step in an epoch.

    Source:
        Noise scale: McCandlish, Kaplan, Amodei and the OpenAI Dota Team, 2018,
        arXiv:1812.06162, appendix A.1. Sharpness: Cohen, Kaur, Li, Kolter and
        Talwalkar, 2021, arXiv:2103.00065, for $2 / \eta$; Pan and Li, 2023,
        arXiv:2306.00204, for the direction of the step.

    Differs from McCandlish et al., who take one batch and its parts on several
    devices; and from Cohen et al., who take the largest eigenvalue of the Hessian,
    which is never below this.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1.0], [2.0], [1.0], [2.0]])
        >>> dense = keras.layers.Dense(1, use_bias=False)
        >>> model = keras.Sequential([keras.Input((1,)), dense])
        >>> model.compile(keras.optimizers.SGD(0.01), loss="mse")
        >>> signals = GradientSignals(
        ...     every=4, signals=["sharpness"], examples=4, micro_batch=2)
        >>> history = model.fit(x, 3 * x, batch_size=4, epochs=4, verbose=0,
        ...     callbacks=[signals])
        >>> [(n, round(tags["optimizer/sharpness"], 3)) for n, tags in signals.recorded]
        [(1, 5.0), (4, 5.0)]
    """

    useless = "there are no steps to measure"
    hints = {
        "names": "Write `signals`.",
        "freq": "Write `every`: steps between two points.",
        "batch_size": "Write `micro_batch` and `examples`.",
    }

    def __init__(
        self,
        every: int = 100,
        data: Any = None,
        *,
        signals: Sequence[str] | None = None,
        examples: int = 512,
        micro_batch: int = 16,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(every, optimizer=optimizer)
        self.data = data
        self.signals = _names(signals)
        doc = "examples in a micro-batch"
        self.micro_batch = number("micro_batch", micro_batch, ">= 1", doc, integer=True)
        doc = "examples for a point"
        self.examples = number("examples", examples, ">= 2", doc, integer=True)
        if examples % micro_batch or examples < LEAST * micro_batch:
            raise ValueError(
                "`examples` must be a multiple of `micro_batch`, and at least "
                f"{LEAST} times as large. Received: {examples=}, {micro_batch=}"
            )
        self._points: list[tuple[int, dict[str, float]]] = []
        self.recorded = self._points
        self._noise_scale = NoiseScale()
        self._count = 0  # measurements so far
        self._warned = False
        self._stop()

    def _stop(self) -> None:
        self._measured: tuple[str, ...] = ()
        self._sample: Sample | None = None
        self._measurement: SampleGradients | None = None
        self._before: Any = []  # weights before the step after which a point follows

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the data and the model, and request the cosine."""
        self._stop()
        model = self.model
        wanted = self.signals or SIGNALS
        if COSINE in wanted and (self.signals or self.our_optimizer is not None):
            self.required_optimizer  # noqa: B018 - raises for another optimizer
            self.gradient_cosine, self.statistics_every = True, self.every
        else:
            self.gradient_cosine, self.statistics_every = False, None
        self._measured = tuple(x for x in wanted if x != COSINE)
        if self._measured:
            self._check_model(model)
            self._sample = Sample(self._data(), self.examples, self.micro_batch)
            if model.built:
                self._measurement = self._fitting(model)
        super().on_train_begin(logs)

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Measure if it is due, and keep the weights if it will be after this batch."""
        super().on_train_batch_begin(batch, logs)
        self._before = []
        if SHARPNESS in self._measured and self.is_due_after(batch):
            with self.beside_training():
                model = self.model
                if model.built:
                    self._measurement = self._fitting(model)
                    self._before = self._measurement.weights()

    def on_steps(self, metrics: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Measure a point."""
        with self.beside_training():
            self._record_cosines()
            if self._measured:
                self._record(self._figures())

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Release the data."""
        self._record_cosines()
        super().on_train_end(logs)
        self._stop()

    def on_train_interrupted(self) -> None:
        """Release the data."""
        super().on_train_interrupted()
        self._stop()

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed training goes on with: no data, and no model."""
        return {
            "recorded": list(self._points),
            "noise_scale": dict(vars(self._noise_scale)),
            "count": self._count,
            "seen": vars(self).get("_seen"),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from the result of `get_state`."""
        self._points[:] = state["recorded"]
        vars(self._noise_scale).update(state["noise_scale"])
        self._count = state["count"]
        if state["seen"] is not None:
            self._seen = state["seen"]

    def _figures(self) -> dict[str, float | None]:
        """Return the figures that are measured on examples, by tag."""
        assert self._sample is not None  # set in `on_train_begin`
        sample, before = self._sample, self._before
        self._measurement = gradients = self._fitting(self.model)
        if len(before) != len(gradients.trained):  # other layers train now
            before = []
        data = sample.drawn(self._count)
        self._count += 1
        found = gradients.measure(data, before)
        figures = {f"optimizer/{SHARPNESS}": found.curvature}
        if NOISE in self._measured and math.isfinite(found.square + found.variance):
            figures[f"optimizer/{NOISE}"] = self._noise_scale.update(
                found.square, found.variance, sample.batches, sample.micro_batch
            )
        return figures

    def _record(self, figures: Mapping[str, float | None], ago: int = 0) -> None:
        """Record the figures that are numbers, for a step so many updates ago."""
        tags = {k: x for k, x in figures.items() if x is not None and math.isfinite(x)}
        if tags:
            self._points.append((self.step - ago, tags))

    def _record_cosines(self) -> None:
        if not self.gradient_cosine:
            return
        updates = self.updates
        for record in self.new_statistics():
            figures = {f"optimizer/{COSINE}": record.gradient_cosine}
            self._record(figures, ago=updates - record.step)

    def _data(self) -> Any:
        """Return the examples that were given, or those of `fit`."""
        if self.data is not None:
            return self.data
        told = fit_arguments()
        if "x" not in told:
            raise ValueError(
                "GradientSignals needs training examples. Received: data=None in a "
                "loop other than `fit`. Pass `data=(x, y)`."
            )
        if told.get("class_weight") is not None:
            raise ValueError(
                "GradientSignals needs the weight of each example. Received: data=None "
                "in a `fit` with `class_weight`. Pass `data=(x, y, sample_weight)`."
            )
        names = "x", "y", "sample_weight"
        if told.get("validation_split") and told.get("validation_data") is None:
            told = training_part(told["validation_split"], told)
        return tuple(told.get(name) for name in names)

    def _check_model(self, model: Any) -> None:
        if self.trains_without_steps:
            raise TypeError(
                "GradientSignals measures the steps of an optimizer. Received: a "
                "training without one, `fit_full_batch`. Leave it out."
            )
        own_loss = type(model).compute_loss is not keras.Model.compute_loss
        if getattr(model, "loss", None) is None and not own_loss:
            raise ValueError(
                "GradientSignals needs the loss of the model. Received: a model "
                "compiled without `loss`. Pass `loss` to `compile`, implement "
                "`compute_loss`, or write signals=['gradient_cosine']."
            )
        own_step = type(model).train_step is not keras.Model.train_step
        if own_step and not own_loss and not self._warned:
            self._warned = True
            warnings.warn(
                "GradientSignals measures the loss that `compile` was given. Received: "
                "a model with a custom `train_step`, which may minimize another one. "
                "If it does, implement `compute_loss`, or write "
                "signals=['gradient_cosine'].",
                stacklevel=2,
            )

    def _fitting(self, model: Any) -> SampleGradients:
        """Return the measurement for a model; raise if the data do not fit it."""
        if self._measurement is not None and self._measurement.fits(model):
            return self._measurement
        assert self._sample is not None  # set in `on_train_begin`
        gradients, first = SampleGradients(model), self._sample.first
        try:
            gradients.loss(*first)
        except Exception as error:
            shapes = tree.map_structure(
                lambda a: None if a is None else a.shape, first[:2]
            )
            raise ValueError(
                "`data` must fit the model, as in `fit(x, y)`. Received: micro-batches "
                f"of shapes {shapes}. The model says: {str(error)[:LONGEST]}"
            ) from error
        return gradients


def _names(signals: Any) -> tuple[str, ...]:
    """Return the names of the signals, none for all of them."""
    if signals is None:
        return ()
    given = signals if isinstance(signals, list | tuple) else ()
    if given and all(isinstance(x, str) and x in SIGNALS for x in given):
        return tuple(given)
    raise ValueError(
        f"`signals` must be a list of some of {', '.join(map(repr, SIGNALS))}, or "
        f"None for all. Received: signals={shown(signals)}"
    )
