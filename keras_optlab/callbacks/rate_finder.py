"""A learning rate found at the start of `fit`."""

from __future__ import annotations

from typing import Any

from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.callbacks.base.messages import print_message
from keras_optlab.core.arguments import choice, flag
from keras_optlab.engine.backend.keras_adapter import inner_optimizer
from keras_optlab.engine.backend.keras_hooks import fit_arguments
from keras_optlab.engine.backend.trainer_adapter import training_part
from keras_optlab.finders import RateRange, find_rate
from keras_optlab.finders.arguments import checked
from keras_optlab.finders.points import EXPLAINED

DATA = "x", "y", "sample_weight", "class_weight", "batch_size", "steps_per_epoch"


class RateFinder(Callback):
    """A learning rate found at the start of `fit`, on the data of this `fit`.

    Runs `find_rate` before the first epoch and sets the optimizer's rate to the
    suggestion; a schedule keeps its shape and gets this peak. The rest of `fit` is to
    the last bit that of a `fit` that was started with this rate.

    If nothing is found, `fit` ends before its first step with an error that says why,
    and nothing has changed. A `fit` that continues, with `initial_epoch` > 0, keeps its
    rate.

    Args:
        rule: suggestion to use: `"knee/3"`, `"steepest"`, `"valley"`, `"minimum/10"` or
            `"slide"`.
        steps: updates of a run, as in `find_rate`.
        runs: number of runs.
        lowest: lowest rate, > 0; `None` depends on the optimizer.
        highest: highest rate; `None` depends on the optimizer.
        seed: seed of the order of the batches.
        monitor: name of the loss that `train_step` returns.
        verbose: whether to print the range and the suggestions.

    Attributes:
        result: The `RateRange` of the last search; `None` before.

    Raises:
        ValueError: if `rule` is unknown or a number out of range; in `fit`, if nothing
            is found, another callback drives the rate, or the data cannot be read
            again.
        TypeError: if an argument is of a wrong type; in `fit`, if the rate follows a
            function.

    Source:
        Smith, 2015, arXiv:1506.01186; see `find_rate`.

    Example:
        >>> import keras, numpy as np
        >>> from keras_optlab import optimizers
        >>> x = np.random.default_rng(0).normal(size=(512, 4))
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile(optimizers.SGD(), "mse")
        >>> finder = RateFinder(steps=60, verbose=False)
        >>> history = model.fit(x, x @ [1, 2, 3, 4], verbose=0, callbacks=[finder])
        >>> finder.result.found
        True
    """

    def __init__(
        self,
        rule: str = "knee/3",
        *,
        steps: int = 100,
        runs: int = 3,
        lowest: float | None = None,
        highest: float | None = None,
        seed: int = 0,
        monitor: str = "loss",
        verbose: bool = True,
    ) -> None:
        super().__init__()
        self.rule = choice("rule", rule, tuple(EXPLAINED))
        self.verbose = flag("verbose", verbose)
        self._search = checked(
            monitor, lowest=lowest, highest=highest, steps=steps, runs=runs, seed=seed
        )
        self.result: RateRange | None = None

    def drives(self) -> set[tuple[int, str]]:
        """Return the rate of the model's optimizer."""
        optimizer: Any = self.model.optimizer  # pyright: ignore[reportOptionalMemberAccess]
        return {(id(inner_optimizer(optimizer)), "learning_rate")}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Search, and set the rate."""
        super().on_train_begin(logs)
        given = fit_arguments()
        if given.get("initial_epoch"):
            return
        if "x" not in given:
            raise ValueError(
                "RateFinder reads the data of `fit`. Received: a loop other than "
                "`fit`. Call `keras_optlab.find_rate` before it."
            )
        data = {k: given[k] for k in DATA if given.get(k) is not None}
        if given.get("validation_split") and given.get("validation_data") is None:
            data |= training_part(given["validation_split"], data)
        self.result = find_rate(self.model, **data, **self._search)  # pyright: ignore[reportArgumentType]
        value = self.result.apply(self.rule)
        if self.verbose:
            print_message(f"{self.result.table()}\nlearning rate: {value:.3g}")
