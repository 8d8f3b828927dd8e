"""Stopping when gradients are noise, without a validation set."""

from __future__ import annotations

import math
import warnings
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_optlab.core import Hyper, Option
from keras_optlab.core.errors import LONGEST
from keras_optlab.engine.backend.gradient_noise import GradientNoise
from keras_optlab.stopping.base import MeasuredCriterion

LEAST = 4  # micro-batches; with three, the bias of the ratio is infinite


class Evidence(MeasuredCriterion):
    r"""Stops when the gradient is no larger than its noise explains: the EB-criterion.

    Every `every` steps, with $g$ the mean gradient of B examples and $\hat\Sigma$ the
    variance of the gradient of one example, training stops if

    $$e = 1 - \frac{B}{D} \sum_{k=1}^{D} \frac{g_k^2}{\hat\Sigma_k} > 0.$$

    Then the observed gradient is as likely as one whose true mean is zero: the examples
    say no longer where a lower true loss lies, and going on fits their noise. No
    validation data are needed.

    $\hat\Sigma_k$ is measured on n = B / m micro-batches of m examples. Their mean
    gradients have the variance $s_k^2 \approx \Sigma_k / m$, so with
    $\hat\Sigma_k = m s_k^2$

    $$e = 1 - \frac{1}{D} \sum_k r(n) \frac{n\, g_k^2}{s_k^2}, \qquad
      r(n) = \frac{n - 3}{n - 1} \cdot \frac{B - 1}{B - 3}.$$

    For pure noise $n g^2 / s^2$ is 1 only on average over many micro-batches: with n of
    them it is (n − 1) / (n − 3), by the F distribution. r(n) makes up for the
    difference from m = 1, where the formula is the paper's. With 512 examples in
    micro-batches of 8 it is 0.972.

    The examples are drawn anew for each measurement, always the same in a repeated
    training. D counts the weights whose gradient varies at all: those that no example
    reaches, as in dead units, are left out. The loss is the compiled one, with the
    penalties of the layers: a penalty shifts g and leaves $\hat\Sigma$. Decoupled
    weight decay is no part of the loss. Dropout is off and BatchNormalization uses its
    moving statistics; both would add noise that is not the data's. Nothing of the model
    changes. The gradient is that at the training weights. A NaN does not count.

    Cost: forward and backward passes over `examples` examples per measurement, and
    memory for three gradients.

    Args:
        x: inputs of training examples: an array, or a list, tuple or dict of arrays.
        y: their targets, likewise.
        examples: B, examples in a measurement; a multiple of `micro_batch`, at least 4
            times as large. If `x` has fewer, all of them. Defaults to 512.
        micro_batch: m, examples in a micro-batch; integer >= 1. 1 is the paper's
            formula; 8 takes less time. Defaults to 8.
        every: steps between two measurements; integer >= 1. Defaults to 100.

    Raises:
        ValueError: if an argument is out of range, or `x` has too few examples; from
            `fit`, before training, if the data do not fit the model, or the model has
            no loss.
        TypeError: if an argument has a wrong type.

    Warns:
        UserWarning: in `fit`, if a custom `train_step` may minimize another loss than
            the compiled one.

    Source:
        Mahsereci, Balles, Lassner and Hennig, "Early Stopping without a Validation
        Set", 2017, arXiv:1703.09580, equation 7. For plain SGD; momentum and adaptive
        steps go on for a while on older gradients.

    Differs from `Cockpit`, which adds 1e-5 to the variance and counts all weights, so
    that dead units and small gradients look like noise.

    A saved configuration holds no data; give them again by `set_data`.

    Example:
        >>> x, y = np.ones((32, 3)), np.ones((32, 1))
        >>> evidence = Evidence(x, y, examples=32, micro_batch=8, every=10)
        >>> evidence.update(-3.5), evidence.update(0.25)
        (None, 'the gradient is noise: the evidence criterion is 0.25 > 0')
    """

    not_state = (*MeasuredCriterion.not_state, "_noise", "_warned")

    x: Any = Option(default=None, doc="inputs of training examples")
    y: Any = Option(default=None, doc="targets of training examples")
    examples: int = Hyper(
        default=512,
        within=">= 4",
        integer=True,
        adjustable=False,
        doc="examples in a measurement",
    )
    micro_batch: int = Hyper(
        default=8,
        within=">= 1",
        integer=True,
        adjustable=False,
        doc="examples in a micro-batch",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._noise: GradientNoise | None = None
        self._warned = False
        if self.examples % self.micro_batch or self.examples < LEAST * self.micro_batch:
            raise ValueError(
                "`examples` must be a multiple of `micro_batch`, and at least "
                f"{LEAST} times as large. Received: examples={self.examples}, "
                f"micro_batch={self.micro_batch}"
            )
        if self.x is not None or self.y is not None:
            self.set_data(self.x, self.y)

    def set_data(self, x: Any, y: Any) -> None:
        """Set the training examples, for instance after loading a configuration."""
        arrays = {"x": _arrays("x", x), "y": _arrays("y", y)}
        sizes = {k: [len(a) for a in tree.flatten(v)] for k, v in arrays.items()}
        if len({n for of in sizes.values() for n in of}) != 1:
            raise ValueError(
                "`x` and `y` must have the same number of examples. Received: numbers "
                f"of examples {sizes}"
            )
        size = sizes["x"][0]
        if size < LEAST * self.micro_batch:
            raise ValueError(
                f"`x` must have at least {LEAST} micro-batches of examples. Received: "
                f"{size} examples with micro_batch={self.micro_batch}. Give more "
                "examples or a smaller `micro_batch`."
            )
        self._values = self._values.next(**arrays)
        self._noise = None

    def decide(
        self, value: float, train_value: float | None, position: float
    ) -> str | None:
        """Return why to stop if the criterion is > 0."""
        del train_value, position
        self.figure = value
        if math.isnan(value) or value <= 0:
            return None
        return f"the gradient is noise: the evidence criterion is {value:.4g} > 0"

    def prepare(self, model: Any) -> None:
        """Compile the measurement for a model, and check that the data fit it."""
        if self.x is None:
            raise ValueError(
                "Evidence needs training examples. Received: x=None, as in a loaded "
                "configuration. Call `set_data(x, y)`, or pass `x` and `y`."
            )
        own_loss = type(model).compute_loss is not keras.Model.compute_loss
        if getattr(model, "loss", None) is None and not own_loss:
            raise ValueError(
                "Evidence needs the loss of the model. Received: a model compiled "
                "without `loss`. Pass `loss` to `compile`, or implement `compute_loss`."
            )
        if type(model).train_step is not keras.Model.train_step and not own_loss:
            self._warn_of_train_step()
        if model.built:
            self._noise = self._fitting(model)

    def measure(self, model: keras.Model) -> float:
        """Return the criterion at the present weights."""
        self._noise = noise = self._fitting(model)
        size = len(tree.flatten(self.x)[0])
        n = min(self.examples, size) // self.micro_batch
        chosen = np.random.default_rng([2017, self.count]).permutation(size)
        chosen = chosen[: n * self.micro_batch].reshape(n, self.micro_batch)
        x, y = tree.map_structure(lambda a: a[chosen], (self.x, self.y))
        unbiased = (n - 3) / (n - 1) * (chosen.size - 1) / (chosen.size - 3)
        return 1 - unbiased * n * noise.mean_ratio(x, y)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments without the data."""
        rest = [k for k in self.fields if k not in ("x", "y")]
        return {k: getattr(self, k) for k in rest}

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_noise": None}

    def __repr__(self) -> str:
        shown = self._in_words(["examples", "micro_batch", "every"])
        return f"Evidence({', '.join(['x', 'y', *shown])})"

    def _warn_of_train_step(self) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                "Evidence measures the loss that `compile` was given. Received: a "
                "model with a custom `train_step`, which may minimize another one. If "
                "it does, implement `compute_loss`.",
                stacklevel=2,
            )

    def _fitting(self, model: Any) -> GradientNoise:
        """Return the measurement for a model; raise if the data do not fit it."""
        if self._noise is not None and self._noise.fits(model):
            return self._noise
        noise = GradientNoise(model)
        x, y = tree.map_structure(lambda a: a[: self.micro_batch], (self.x, self.y))
        try:
            noise.loss(x, y)
        except Exception as error:
            shapes = tree.map_structure(np.shape, {"x": x, "y": y})
            raise ValueError(
                "The data of Evidence must fit the model, as in `fit(x, y)`. Received: "
                f"micro-batches of shapes {shapes}. The model says: "
                f"{str(error)[:LONGEST]}"
            ) from error
        return noise


def _arrays(name: str, data: Any) -> Any:
    """Return data as a structure of NumPy arrays of numbers."""

    def array(x: Any) -> np.ndarray:
        a = ops.convert_to_numpy(x) if ops.is_tensor(x) else np.asarray(x)
        if a.dtype.kind not in "biuf" or not a.ndim:
            raise TypeError(
                f"`{name}` must be an array of numbers with an axis of examples, or a "
                f"list, tuple or dict of such arrays. Received: {name}: "
                f"{type(x).__name__} of dtype {a.dtype} and shape {a.shape}. Take "
                "examples out of a data set as arrays."
            )
        return a

    return tree.map_structure(array, data)
