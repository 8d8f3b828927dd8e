"""Gradual unfreezing of a pretrained model, from its last block to its first."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Sequence
from typing import Any

import keras

from keras_optlab.callbacks.base.building import build_for_fit
from keras_optlab.callbacks.base.step import StepCallback
from keras_optlab.core.arguments import choice, flag, number
from keras_optlab.core.errors import shown
from keras_optlab.core.groups import Group, Match
from keras_optlab.core.layerwise import check_blocks, check_list, find_blocks
from keras_optlab.core.paths import path_of
from keras_optlab.core.retrace import retrace
from keras_optlab.core.types import Variable
from keras_optlab.engine import Optimizer, count_apart, normalization_layers
from keras_optlab.engine.model.frozen_blocks import FrozenBlocks


class GradualUnfreezing(StepCallback):
    r"""Gradual unfreezing: trains the last block first, and one more every few epochs.

    With $n$ blocks and `every=1`, epoch $e$ (counted from 0) trains the last
    $\min(e + 1, n)$ blocks. The others are frozen by `trainable = False`, which saves
    their backward pass; each new block costs one trace of the step.

    A block starts when it is unfrozen, as if the optimizer were new: the slots of its
    weights start, and the bias correction counts the updates of this block alone. (With
    the count of all updates, the first steps of Adam in a late block would be 3 times
    too long.) Schedules count all updates.

    Layers that are frozen before `fit` stay frozen. A frozen `BatchNormalization` uses
    its moving statistics and does not update them, as everywhere in Keras. `Dropout`
    stays active in frozen blocks.

    After `fit`, or an exception in it, all layers are as trainable as before. In
    another `fit` with the same callback, blocks that have begun go on. A model that is
    saved during `fit` is saved as trainable as it was before: to continue with it, pass
    `initial_epoch` and a new `GradualUnfreezing`.

    Args:
        every: epochs (or steps) after which the next block begins; integer >= 1. Or a
            list of the epochs (or steps) at which the blocks begin, from the last but
            one to the first: integers >= 0, not falling.
        unit: what `every` counts, `"epoch"` or `"step"`. Steps are the optimizer's
            updates (batches, in `MultiSteps`), and the count continues in a second
            `fit`.
        blocks: the blocks from first to last, each as `Group` takes it; `None` is the
            blocks of `layerwise_decay`.
        train_normalization: whether layers with moving statistics, such as
            `BatchNormalization`, train in frozen blocks too: their weights and
            statistics, from the first epoch on.
        optimizer: the optimizer that trains, if a custom training step uses another one
            than the model's; `None` is the model's.

    Attributes:
        trained: the number of blocks that have begun so far.

    Raises:
        TypeError: if an argument has a wrong type; in `fit`, if the optimizer is not
            one of keras_optlab: others count one number of updates for all weights.
        ValueError: if an argument is out of range; in `fit`, if the model has less than
            two blocks, `every` has another length, `blocks` leaves weights out, or the
            optimizer was built for other weights.

    Warns:
        UserWarning: once, if the optimizer takes no step in an epoch.

    Source:
        Howard and Ruder, 2018, arXiv:1801.06146, section 3.3, where `every=1`.

    Differs from: fastai and Lightning, which train `BatchNormalization` in frozen
    blocks by default (here `train_normalization=True`).

    Example:
        >>> import numpy as np
        >>> import keras_optlab as kol
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2),
        ...     keras.layers.Dense(2), keras.layers.Dense(1)])
        >>> groups = kol.layerwise_decay(model, 0.4)  # ULMFiT has both
        >>> model.compile(kol.optimizers.Adam(1e-2, groups=groups), loss="mse")
        >>> unfreezing = GradualUnfreezing()
        >>> x, y = np.ones((4, 3)), np.ones((4, 1))
        >>> history = model.fit(x, y, epochs=2, verbose=0, callbacks=[unfreezing])
        >>> unfreezing.trained
        2
    """

    hints = {
        "epochs": "Write `every`.",
        "steps": "Write `every` and unit='step'.",
        "schedule": "Write `every`: a list of epochs.",
        "groups": "Write `blocks`.",
        "layers": "Write `blocks`.",
        "train_bn": "Write `train_normalization`.",
        "freeze_normalization": "Write `train_normalization`.",
    }
    useless = "no block has been trained by it"

    def __init__(
        self,
        every: int | Sequence[int] = 1,
        unit: str = "epoch",
        *,
        blocks: Sequence[Match] | None = None,
        train_normalization: bool = False,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(every=None, optimizer=optimizer)
        self.begins = _begins(every)
        self.unit = choice("unit", unit, ("epoch", "step"))
        self.blocks = _checked_blocks(blocks)
        self.train_normalization = flag("train_normalization", train_normalization)
        self.trained = 0
        self._epochs = 0  # that have begun with this optimizer
        self._trains: weakref.ref[Optimizer] | None = None
        self._frozen: FrozenBlocks | None = None
        self._told = False

    def driven_values(self) -> dict[str, float]:
        """Return the number of blocks that are trained."""
        return {"trained_blocks": float(self.trained)}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Freeze all blocks that have not begun."""
        super().on_train_begin(logs)
        ours = self.required_optimizer
        build_for_fit(self.model)
        blocks = self._find_blocks()
        if not self.optimizer.built:
            self.optimizer.build(self.model.trainable_variables)
        blocks = self._of_optimizer(ours, blocks)
        if self._trains is None or self._trains() is not ours:
            self._trains, self.trained, self._epochs = weakref.ref(ours), 0, 0
        count_apart(ours, blocks[:-1])
        self._frozen = FrozenBlocks(self.model, blocks)
        self._warn_of_frozen_blocks()
        self._told = False
        step = self.step if self.unit == "step" else self._epochs
        self._train(self._due(step), begins=True)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Unfreeze the blocks that begin in this epoch."""
        super().on_epoch_begin(epoch, logs)
        self._told = True
        self._begin_epoch_with(epoch)

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Unfreeze the blocks that begin at this step."""
        super().on_train_batch_begin(batch, logs)
        if self.unit == "step":
            self._train(self._due(self.step))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Unfreeze the blocks of the next epoch, in loops that do not report it."""
        super().on_epoch_end(epoch, logs)
        if not self._told:
            self._begin_epoch_with(epoch + 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Make all layers as trainable as before."""
        self._restore()

    def on_train_interrupted(self) -> None:
        """Make all layers as trainable as before."""
        self._restore()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, with the paths of weights in place of objects."""
        config = super().get_config()
        if self.blocks is not None:
            config["blocks"] = [Group(b).get_config()["match"] for b in self.blocks]
        return config

    def get_state(self) -> dict[str, Any]:
        """Return which blocks have begun."""
        blocks = 0 if self._frozen is None else len(self._frozen.blocks)
        return {"trained": self.trained, "epochs": self._epochs, "blocks": blocks}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue with the blocks that had begun; called in an epoch of `fit`.

        Raises:
            ValueError: if the model had another number of blocks.
        """
        here = self.get_state()["blocks"]
        if state["blocks"] != here:
            raise ValueError(
                f"GradualUnfreezing continues a training of {state['blocks']} blocks. "
                f"Received: a model with {here}. Build the same model, with the same "
                "layers frozen, and pass the same `blocks`."
            )
        self._sync_step()
        self._epochs = max(self._epochs, state["epochs"])
        now = self.step if self.unit == "step" else self._epochs - 1
        self._train(max(state["trained"], self._due(max(now, 0))))

    # Helpers.

    def _warn_of_frozen_blocks(self) -> None:
        """Warn in the first `fit` if it ends before each block has begun."""
        epochs = (self.params or {}).get("epochs")
        if self.unit != "epoch" or self._epochs or not epochs or not self._frozen:
            return
        of_all, begun = len(self._frozen.blocks), self._due(epochs - 1)
        if begun < of_all:
            warnings.warn(
                f"GradualUnfreezing begins {begun} of {of_all} blocks in this `fit`; "
                f"the others stay frozen. Received: every={self.begins}, "
                f"epochs={epochs}. Train longer, or write a smaller `every`.",
                stacklevel=2,
            )

    def _begin_epoch_with(self, epoch: int) -> None:
        now = max(epoch, self._epochs)
        self._epochs = now + 1
        self._train(self._due(now if self.unit == "epoch" else self.step))

    def _due(self, position: int) -> int:
        """Return the number of blocks that train at an epoch or step."""
        blocks = 0 if self._frozen is None else len(self._frozen.blocks)
        if isinstance(self.begins, int):
            return min(1 + position // self.begins, blocks)
        return 1 + sum(position >= begin for begin in self.begins)

    def _train(self, count: int, begins: bool = False) -> None:
        """Train so many blocks, if more than before."""
        frozen, self.trained = self._frozen, max(count, self.trained)
        if frozen is None or (frozen.trained >= self.trained and not begins):
            return
        model = self.model  # on JAX this takes the state out of the trainer
        steps = ["train", *(["test"] if frozen.penalizes(self.trained) else [])]
        if frozen.trained != self.trained:
            frozen.train(self.trained)
            retrace(model, *steps)

    def _restore(self) -> None:
        frozen, self._frozen = self._frozen, None
        if frozen is None:
            return
        model, whole = self.model, frozen.trained == len(frozen.blocks)
        frozen.restore()
        if not whole:
            retrace(model, "train", "test")

    def _find_blocks(self) -> list[list[Variable]]:
        """Return the weights of each block, from first to last."""
        model = self.model
        if self.blocks is None:
            found = find_blocks(model) if model.built else []
        else:
            found = _weights_of(model, check_blocks(model, self.blocks))
        if self.train_normalization:
            always = {
                id(v)
                for x in normalization_layers(model)
                for v in x.trainable_variables
            }
            found = [[v for v in block if id(v) not in always] for block in found]
        found = [block for block in found if block]
        begins = self.begins
        if isinstance(begins, list) and len(begins) != max(len(found), 1) - 1:
            raise ValueError(
                "`every` must have an entry for each block but the last. Received: "
                f"{len(begins)} entries for {len(found)} blocks, every={begins}. "
                "`layerwise_decay` shows the blocks, `blocks` sets them."
            )
        if len(found) < 2:
            raise ValueError(
                "GradualUnfreezing needs a built model with at least two blocks of "
                f"trainable weights. Received: {len(found)} in {model!r}. Build the "
                "model first, make its layers trainable, or pass `blocks`."
            )
        return found

    def _of_optimizer(
        self, ours: Optimizer, blocks: list[list[Variable]]
    ) -> list[list[Variable]]:
        """Return the blocks of an optimizer's weights; raise if it lacks some."""
        own = {id(v) for v in ours.weights}
        other = [v for block in blocks for v in block if id(v) not in own]
        if other and self.given_optimizer is None:
            raise ValueError(
                "GradualUnfreezing needs an optimizer that was built with all weights "
                f"of the blocks. Received: {ours!r}, built for {len(own)} weights, "
                f"without {path_of(other[0])!r}. Compile the model again, with a new "
                "optimizer, after making its layers trainable."
            )
        return [here for b in blocks if (here := [v for v in b if id(v) in own])]


def _weights_of(model: keras.Model, blocks: Sequence[Match]) -> list[list[Variable]]:
    """Return the weights of given blocks, each weight in the first that matches it."""
    left = list(model.trainable_variables)
    found = []
    for block in blocks:
        finds = Group(block).finder()
        here = [v for v in left if finds(v, path_of(v))]
        taken = {id(v) for v in here}
        left = [v for v in left if id(v) not in taken]
        found.append(here)
    return found


def _begins(every: Any) -> int | list[int]:
    """Return the argument `every`, checked."""
    if not isinstance(every, list | tuple):
        return number("every", every, ">= 1", "epochs or steps a block", integer=True)
    doc = "epoch or step at which a block begins"
    begins = [number("every", x, ">= 0", doc, integer=True) for x in every]
    if begins != sorted(begins):
        raise ValueError(f"`every` must not fall. Received: every={shown(every)}")
    return begins


def _checked_blocks(blocks: Any) -> list[Match] | None:
    if blocks is None:
        return None
    check_list(blocks)
    return list(blocks)
