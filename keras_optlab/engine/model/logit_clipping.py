"""Clipping of attention logits: smaller queries and keys after a step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_optlab.core.numerics import maximum, wide
from keras_optlab.core.retrace import retrace
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.attention import (
    ATTENTIONS,
    asks_for_flash_attention,
    attends_by_itself,
    projections,
    query_heads,
    shares_keys,
    unwatch_logits,
    watch_logits,
)
from keras_optlab.engine.backend.commit import commit_first
from keras_optlab.engine.backend.keras_adapter import (
    add_step_state,
    inner_optimizer,
    sublayers,
)
from keras_optlab.engine.backend.replicas import scope_of
from keras_optlab.engine.backend.variables import Pairs, read

State = Any  # of JAX' trainer
VARIABLE = "_optlab_largest_logits"


@dataclass
class Attention:
    """An attention layer whose logits are clipped.

    Attributes:
        layer: The layer.
        query: Kernel and bias of the queries.
        key: Kernel and bias of the keys.
        largest: The largest logit of each head since the last update.
        seen: Whether a train step has computed the layer's logits.
    """

    layer: Any
    query: list[Variable]
    key: list[Variable]
    largest: Variable
    seen: bool = False

    def watch(self) -> None:
        """Have the layer store its largest logits."""
        watch_logits(self.layer, self.largest, partial(setattr, self, "seen", True))

    def scaled(self, tau: float) -> Pairs:
        """Return the weights for which the largest logits are at most `tau`."""
        largest = read(self.largest)
        gamma = tau / maximum(largest, tau)
        if shares_keys(self.layer):  # the heads of one key have different factors
            return _times(self.query, gamma)
        return _times([*self.query, *self.key], ops.sqrt(gamma))


class LogitClipping:
    """Clips the attention logits of a model, between `start` and `stop`.

    Args:
        model: The model, built and compiled.
        tau: The largest logit that is not clipped, > 0.
        who: What clips, for error messages.
    """

    def __init__(self, model: Any, tau: float, who: str) -> None:
        self.model, self.tau, self.who = model, tau, who
        self.attentions = _find(model, who)
        self._before: Any = None

    def start(self) -> None:
        """Watch the logits, and clip after each update."""
        for one in self.attentions:
            one.watch()
        self._before = vars(self.model).get("train_step")
        on_jax = keras.backend.backend() == "jax"
        form = self._stateless_step if on_jax else self._step
        vars(self.model)["train_step"] = partial(form, self.model.train_step)
        retrace(self.model, "train")

    def stop(self) -> None:
        """Leave the model as it was."""
        for one in self.attentions:
            unwatch_logits(one.layer)
        vars(self.model).pop("train_step", None)
        if self._before is not None:
            vars(self.model)["train_step"] = self._before
        retrace(self.model, "train")

    def _step(self, train_step: Callable[..., Any], data: Any) -> Any:
        before = ops.copy(_updates(self.model.optimizer))
        logs = train_step(data)
        self._check_seen()
        self._clip(_updates(self.model.optimizer) > before)
        return logs

    def _stateless_step(
        self, train_step: Callable[..., Any], state: State, data: Any
    ) -> tuple[Any, State]:
        model, optimizer = self.model, self.model.optimizer
        with keras.StatelessScope(_pairs(optimizer.variables, state[2])):
            before = _updates(optimizer)
        logs, (weights, others, own, metrics) = train_step(state, data)
        self._check_seen()
        trained, fixed = model.trainable_variables, model.non_trainable_variables
        now = _pairs(trained, weights) + _pairs(fixed, others)
        now += _pairs(optimizer.variables, own)
        with keras.StatelessScope(now) as scope:
            self._clip(_updates(optimizer) > before)
            weights = [scope.get_current_value(v) for v in trained]
            others = [scope.get_current_value(v) for v in fixed]
        return logs, (weights, others, own, metrics)

    def _clip(self, updated: Tensor) -> None:
        """Scale the weights whose logits exceed `tau`, after an update."""
        largest = [one.largest for one in self.attentions]
        exceeds = ops.max(ops.concatenate([read(v) for v in largest])) > self.tau

        def scaled() -> Pairs:
            pairs = [pair for one in self.attentions for pair in one.scaled(self.tau)]
            return pairs + [(v, ops.full_like(read(v), -math.inf)) for v in largest]

        def kept() -> Pairs:
            return [(v, ops.where(updated, -math.inf, read(v))) for v in largest]

        commit_first([(ops.logical_and(updated, exceeds), scaled), (True, kept)])

    def _check_seen(self) -> None:
        """Raise unless the train step has computed the logits of all layers."""
        missing = [one.layer.path for one in self.attentions if not one.seen]
        if missing:
            raise ValueError(
                f"{self.who} needs the logits of each attention layer in training. "
                f"Received: a train step that does not call the layer {missing[0]!r} "
                "with `training=True`, or not by the `call` of Keras' layer. Call it "
                "so, freeze the layer, or leave the callback out."
            )


def _find(model: Any, who: str) -> list[Attention]:
    trainable = {id(v) for v in model.trainable_variables}
    found = [x for x in sublayers(model) if isinstance(x, ATTENTIONS)]
    for layer in found:
        _check(layer, who)
    attentions = [_attention(model, x, trainable, who) for x in found]
    trained = [x for x in attentions if x is not None]
    if not trained:
        raise ValueError(
            f"{who} needs a model with trainable layers `MultiHeadAttention` or "
            f"`GroupQueryAttention` of Keras. Received: {model!r} with {len(found)} "
            "attention layers, none of which is trained. Leave the callback out."
        )
    return trained


def _check(layer: Any, who: str) -> None:
    name = f"the layer {layer.name!r} ({type(layer).__name__})"
    if attends_by_itself(layer):
        raise ValueError(
            f"{who} needs the attention of Keras' own layers, whose logits it knows. "
            f"Received: {name}, which overrides `_compute_attention`. Freeze it, use "
            "Keras' layer, or leave the callback out."
        )
    if asks_for_flash_attention(layer):
        raise ValueError(
            f"{who} computes the logits, which flash attention avoids. Received: "
            f"{name} with flash attention. Make it with `flash_attention=False`, and "
            "do not call `keras.config.enable_flash_attention()`."
        )
    query, key = projections(layer)
    if query is None or not query.built:
        raise ValueError(
            f"{who} needs a model that is built. Received: {name}, which has no "
            "weights yet. Build the model first, with an Input layer or model.build."
        )
    if any(getattr(x, "lora_enabled", False) for x in (query, key)):
        raise ValueError(
            f"{who} scales kernels of queries and keys. Received: {name} with LoRA, "
            "which trains other weights. Leave the callback out."
        )


def _attention(
    model: Any, layer: Any, trainable: set[int], who: str
) -> Attention | None:
    """Return what to clip of a layer; `None` if its queries and keys are frozen."""
    query, key = (
        [v for v in (x.kernel, x.bias) if v is not None] for x in projections(layer)
    )
    trained = [id(v) in trainable for v in (*query, *key)]
    if not any(trained):
        return None
    if not all(trained):
        raise ValueError(
            f"{who} scales queries and keys together. Received: the layer "
            f"{layer.name!r}, of which some are frozen. Freeze both or none."
        )
    return Attention(layer, query, key, _largest(model, layer, query[0]))


def _largest(model: Any, layer: Any, kernel: Variable) -> Variable:
    """Return the variable with a layer's largest logits, which the step carries."""
    variable = vars(layer).get(VARIABLE)
    if variable is None:
        wide = keras.backend.standardize_dtype(kernel.dtype) == "float64"
        with scope_of(kernel):
            variable = keras.Variable(
                keras.initializers.Constant(-math.inf),
                shape=(query_heads(layer),),
                dtype="float64" if wide else "float32",
                trainable=False,
                autocast=False,  # torch would write into a copy
                aggregation="only_first_replica",
                name="largest_logits",
            )
        vars(layer)[VARIABLE] = variable  # for the next `fit`
    if not any(v is variable for v in model.non_trainable_variables):
        add_step_state(model, variable)
    variable.assign(ops.full_like(read(variable), -math.inf))
    return variable


def _pairs(variables: list[Variable], values: list[Tensor]) -> Pairs:
    return list(zip(variables, values, strict=True))


def _times(weights: list[Variable], factor: Tensor) -> Pairs:
    """Return kernels and biases, whose last axes are heads and dimension, scaled."""
    by_head = ops.expand_dims(factor, -1)
    weights = [(v, wide(read(v))) for v in weights]
    return [(v, ops.cast(w * ops.cast(by_head, w.dtype), v.dtype)) for v, w in weights]


def _updates(optimizer: Any) -> Tensor:
    """Return the number of updates, also of an optimizer with several inside."""
    inner = inner_optimizer(optimizer)
    several = getattr(inner, "optimizers", [inner])
    counts = [getattr(x, "updates", None) for x in several]
    counts = [
        x.iterations if count is None else count
        for x, count in zip(several, counts, strict=True)
    ]
    total = ops.convert_to_tensor(read(counts[0]))
    for count in counts[1:]:
        total = total + ops.cast(read(count), total.dtype)
    return total
