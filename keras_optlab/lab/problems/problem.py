"""`Problem`: a training to compare optimizers on."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_optlab.core.arguments import number, optional_steps, text
from keras_optlab.core.errors import shown, suggest
from keras_optlab.engine.backend.trainer_adapter import compile_as
from keras_optlab.lab.problems.surface import Surface
from keras_optlab.stopping.direction import check_mode


class Data(NamedTuple):
    """Data for training, for choosing settings, and for the final test.

    Each is `(x, y)`: arrays, or trees of arrays, with the rows first. Or each is a
    `tf.data.Dataset` that ends, of batches `(x, y)`; the training takes its batches in
    the order in which they come, and repeats it.

    Attributes:
        train: What to train on.
        validation: What to choose by; `None` if the training loss is what counts.
        test: For the final results; `None` is the validation data.
    """

    train: Any
    validation: Any = None
    test: Any = None

    @property
    def rows(self) -> int | None:
        """Number of rows for training; `None` for a dataset."""
        return None if is_dataset(self.train) else _rows("train", self.train)

    @property
    def validation_rows(self) -> int | None:
        """Number of rows for validation; `None` if there are none, or a dataset."""
        part = self.validation
        return None if part is None or is_dataset(part) else _rows("validation", part)

    @property
    def test_rows(self) -> int | None:
        """Number of rows for the final test; `None` if there are none, or a dataset."""
        part = self.test
        if part is None:
            return self.validation_rows
        return None if is_dataset(part) else _rows("test", part)


def is_dataset(part: Any) -> bool:
    """Return whether data are a `tf.data.Dataset`."""
    return hasattr(part, "element_spec") and hasattr(part, "cardinality")


def x_and_y(part: Any) -> tuple[Any, Any]:
    """Return data as the arguments x and y of `fit`."""
    return (part, None) if is_dataset(part) else part


@dataclass(frozen=True)
class Target:
    """A value of a metric that a training should reach.

    Attributes:
        metric: Name of the metric on the evaluated data, `"loss"` or `"accuracy"`.
        value: The value to reach.
        mode: `"min"`, `"max"`, or `"auto"`: by the metric's name, as in callbacks.

    >>> Target("accuracy", 0.98).is_reached(0.981), Target("loss", 0.1).mode
    (True, 'min')
    """

    metric: str
    value: float
    mode: str = "auto"

    def __post_init__(self) -> None:
        text("metric", self.metric)
        value = number("value", self.value, "(-inf, inf)", "value to reach")
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "mode", check_mode(self.metric, self.mode))

    def is_reached(self, value: float) -> bool:
        """Return whether a value is at least as good as the target."""
        return value >= self.value if self.mode == "max" else value <= self.value


@dataclass(frozen=True, eq=False)  # `==` of arrays is no truth value
class Problem:
    """A model, its data, and how long it is trained: what optimizers are compared on.

    Args:
        model: Returns a new model, not compiled. It is called after the seed is set.
        data: `Data`, or a function that returns it. `(x, y)` is split by the lab: 70 %
            of the rows for training, 15 % for validation, 15 % for the test.
        loss: As in `compile`. `None`: `model` returns compiled models, and their loss
            and metrics are used.
        metrics: As in `compile`, in a list. A class of yours, such as `[MyMetric]`, is
            made anew for each training; an object is shared.
        target: The value to reach, measured on the validation data while settings are
            chosen, and on the test data in the end. `None` compares final values only.
        monitor: Name of the metric that is compared at the end of the training.
            Defaults to that of the target, or `"loss"`.
        mode: `"min"`, `"max"`, or `"auto"`: by the name of `monitor`.
        batch_size: Rows in a batch; integer >= 1. Datasets have their own.
        epochs: Length of a training; > 0, not necessarily an integer.
        evaluate_every: Updates between two evaluations; integer >= 1. `None` is an
            epoch.
        name: How to call it.
        summary: What it is; one line.
        surface: The function that is minimized, where the model has only two numbers,
            for pictures of paths.

    Raises:
        TypeError: if `model`, `metrics`, `target` or `surface` has another type.
        ValueError: if a number is not > 0, or `mode` contradicts the name of `monitor`.

    Example:
        >>> import keras, numpy as np
        >>> x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
        >>> def model():
        ...     return keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> problem = Problem(model, data=(x, x[:, :1]), loss="mse", epochs=2)
        >>> problem.updates, problem.monitor
        (9, 'loss')
    """

    model: Callable[[], keras.Model]
    data: Any
    loss: Any
    metrics: Sequence[Any] = ()
    target: Target | None = None
    monitor: str = ""
    mode: str = "auto"
    batch_size: int = 32
    epochs: float = 10
    evaluate_every: int | None = None
    name: str = "problem"
    summary: str = ""
    surface: Surface | None = None

    def __post_init__(self) -> None:
        if not callable(self.model) or isinstance(self.model, keras.Model):
            raise TypeError(
                "`model` must be a function that returns a new model. "
                f"Received: model={shown(self.model)}"
            )
        _of_type("metrics", self.metrics, (list, tuple), "a list")
        _of_type("target", self.target, (Target, type(None)), "a lab.Target or None")
        _of_type("surface", self.surface, (Surface, type(None)), "a Surface or None")
        self._set(
            batch_size=number("batch_size", self.batch_size, "> 0", "rows", True),
            epochs=number("epochs", self.epochs, "> 0", "budget"),
            evaluate_every=optional_steps(
                "evaluate_every", self.evaluate_every, "updates between evaluations"
            ),
        )
        text("name", self.name)
        target = self.target
        text("monitor", self.monitor, least=0)
        text("summary", self.summary, least=0)
        if not self.monitor:
            self._set(monitor=target.metric if target else "loss")
        if target is not None and target.metric == self.monitor:
            self._set(mode=target.mode)
        self._set(mode=check_mode(self.monitor, self.mode))

    def _set(self, **values: Any) -> None:
        """Set fields while the object is made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def new_model(self) -> keras.Model:
        """Return a new model."""
        made = self.model()
        if not isinstance(made, keras.Model):
            raise TypeError(
                "`model` must be a function that returns a new keras.Model. "
                f"Received: model={shown(self.model)}, which returned {shown(made)}"
            )
        return made

    @functools.cached_property
    def splits(self) -> Data:
        """The data, split; loaded when first read."""
        data = self.data() if callable(self.data) else self.data
        if isinstance(data, tuple) and len(data) == 2:
            return split(*data)
        if not isinstance(data, Data):
            raise TypeError(
                "`data` must be lab.Data, (x, y), or a function that returns one of "
                f"them. Received: data={shown(data)}"
            )
        for name, part in data._asdict().items():
            if is_dataset(part):
                self._check_dataset(name, part)
            elif part is not None:
                _rows(name, part)
        return data

    def _check_dataset(self, name: str, part: Any) -> None:
        if not callable(self.data):
            raise TypeError(
                "a tf.data.Dataset cannot be sent to other processes. Received: "
                f"{name}={shown(part)}. Pass a function that returns lab.Data."
            )
        if int(part.cardinality()) == -1:
            raise ValueError(
                f"expected a dataset that ends. Received: {name}, which repeats "
                "without end. Leave `repeat` out; the lab repeats it."
            )

    @functools.cached_property
    def updates_per_epoch(self) -> float:
        """Updates in which as many rows are seen as there are."""
        train, rows = self.splits.train, self.splits.rows
        if rows is not None:
            return rows / min(self.batch_size, rows)
        known = int(train.cardinality())
        return known if known >= 0 else sum(1 for _ in train)

    @property
    def updates(self) -> int:
        """Updates in a training of `epochs`."""
        return max(1, round(self.epochs * self.updates_per_epoch))

    def compile(self, model: keras.Model, optimizer: Any) -> None:
        """Compile a model with the problem's loss and metrics."""
        if self.loss is None:
            compile_as(model, model, optimizer)
        else:
            metrics = [m() if isinstance(m, type) else m for m in self.metrics]
            model.compile(optimizer, self.loss, metrics=metrics)

    def with_changes(self, **changes: Any) -> Problem:
        """Return the problem with other fields; `target` may be the value alone."""
        known = {f.name for f in dataclasses.fields(self)}
        for name in changes:
            if name not in known:
                raise ValueError(
                    "A problem has no such field. "
                    f"Received: {name}={shown(changes[name])}. {suggest(name, known)}"
                )
        value = changes.get("target")
        if self.target is not None and isinstance(value, int | float):
            changes["target"] = replace(self.target, value=value)
        return replace(self, **changes)


def split(x: Any, y: Any, seed: int = 0) -> Data:
    """Return 70 % of the rows for training, 15 % for validation, 15 % for the test.

    Args:
        x: Array, or tree of arrays, with the rows first.
        y: Its targets; the same number of rows.
        seed: Of the order in which the rows are drawn.

    Raises:
        ValueError: if arrays differ in their rows, or there are fewer than 4 rows.

    >>> import numpy as np
    >>> split(np.arange(20.0), np.arange(20.0)).rows
    14
    """
    rows = _rows("data", (x, y))
    if rows < 4:
        raise ValueError(f"expected at least 4 rows to split. Received: rows={rows}")
    order = np.random.RandomState(seed).permutation(rows)
    parts = np.split(order, [round(0.7 * rows), round(0.85 * rows)])

    def part(chosen: np.ndarray) -> tuple[Any, Any]:
        return keras.tree.map_structure(lambda a: np.asarray(a)[chosen], (x, y))

    return Data(*(part(chosen) for chosen in parts))


def _rows(name: str, part: Any) -> int:
    """Return the number of rows of `(x, y)`, after a check that all arrays have it."""
    if not isinstance(part, tuple) or len(part) != 2:
        raise TypeError(f"expected (x, y). Received: {name}={shown(part)}")
    leaves = keras.tree.flatten(part)
    shapes: list[Any] = [tuple(getattr(leaf, "shape", ())) for leaf in leaves]
    lengths = {shape[0] if shape else 0 for shape in shapes}
    if len(lengths) != 1 or not min(lengths):
        raise ValueError(
            "expected arrays with the same number of rows, at least 1. "
            f"Received: {name} with the shapes {', '.join(map(str, shapes))}"
        )
    return lengths.pop()


def _of_type(name: str, value: Any, types: Any, what: str) -> None:
    if not isinstance(value, types):
        raise TypeError(f"`{name}` must be {what}. Received: {name}={shown(value)}")
