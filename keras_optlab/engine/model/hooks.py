"""Hooks that an optimizer installs on the models that it trains.

Most optimizers need only gradients. Some need a second pass over a batch, and some have
separate evaluation weights. They wrap a few methods of the model, when it is compiled
or passed to `attach`. Only this instance changes, not its class. A model that trains
others by a `train_step` of its own, such as a GAN, gets the same hooks when it begins
to train.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras

from keras_optlab.core.errors import shown
from keras_optlab.engine.backend.keras_adapter import inner_optimizer, sublayers
from keras_optlab.engine.backend.replicas import is_distributed
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.model import evaluation_weights
from keras_optlab.engine.model.first_weights import refresh_copies
from keras_optlab.engine.model.running_statistics import with_statistics_kept
from keras_optlab.engine.model.second_pass_step import with_second_pass
from keras_optlab.engine.model.statistics_on_jax import with_statistics_averaged
from keras_optlab.engine.model.train_function import TrainFunction, can_move
from keras_optlab.engine.update.other_statistics import add_statistics

EVALUATING = (
    "evaluate",
    "predict",
    "test_on_batch",
    "predict_on_batch",
    "save",
    "save_weights",
    "export",
    "get_weights",
    "get_state_tree",
    "__reduce__",  # of pickle and deepcopy
)
REPLACING = "load_weights", "set_weights"
LOOKING = "evaluate", "predict", "save", "save_weights", "export"

ATTACHED: weakref.WeakSet[keras.Model] = weakref.WeakSet()  # passed to `attach`
TRAINERS = "train_step", "fit", "train_on_batch", "make_train_function"


class ModelHooks:
    """A model's hooks, in an attribute that Keras neither tracks nor saves.

    Attributes:
        ours: This package's optimizers that the model was compiled with.
        compiled: Those of `ours` that have evaluation weights.
        attached: Optimizers with evaluation weights that were attached to the model.
        inner: Optimizers that are attached to models in it, which it trains.
        methods: Names of the methods that are wrapped.
        checked: The plan of an optimizer whose weights were found in the model.
    """

    def __init__(self, model: Any) -> None:
        self.model = weakref.ref(model)
        self.checked: Any = None
        self.ours: list[BuiltOptimizer] = []
        self.compiled: list[BuiltOptimizer] = []
        self.attached: list[BuiltOptimizer] = []
        self.inner: list[BuiltOptimizer] = []
        self.methods: list[str] = []

    @property
    def trained_within(self) -> list[BuiltOptimizer]:
        """Optimizers that a `train_step` of the model's own may use, each once."""
        return list({id(o): o for o in (*self.attached, *self.inner)}.values())

    @property
    def optimizers(self) -> list[BuiltOptimizer]:
        """All optimizers with evaluation weights, each once."""
        found = (*self.compiled, *self.trained_within)
        return list({id(o): o for o in found}.values())


def install(model: Any) -> None:
    """Install the hooks of the optimizers that a model was compiled with."""
    uninstall(model)
    optimizer = inner_optimizer(model.optimizer)
    several = getattr(optimizer, "optimizers", [optimizer])
    for one in [x for x in several if hasattr(x, "models")]:  # this package's
        for group in one.groups:
            group.find(model.trainable_variables)  # before its config is saved
        one.models.add(model)
        _hooks(model).ours.append(one)
        add_statistics(one)
        if one.has_evaluation_weights:
            _hooks(model).compiled.append(one)
            evaluation_weights.move_to(one, evaluation=True)
    if "_optlab_hooks" in vars(model):
        _wrap_methods(model)


def attach(optimizer: BuiltOptimizer, model: Any) -> None:
    """Install the hooks of an optimizer on a model that another model trains."""
    name = type(optimizer).__name__
    if not isinstance(model, keras.Model):
        raise TypeError(f"`attach` takes a keras.Model. Received: model={shown(model)}")
    if optimizer.needs_second_pass:
        raise ValueError(
            f"{name} looks at each batch more than once, which needs the `train_step` "
            "of a model that is compiled with it. Received: a call of `attach`. "
            "Compile a model with it, or use another optimizer here."
        )
    optimizer.models.add(model)  # whose layers tell the axes of the weights
    if not optimizer.has_evaluation_weights:
        return
    hooks = _hooks(model)
    if optimizer not in hooks.attached:
        hooks.attached.append(optimizer)
    add_statistics(optimizer)
    ATTACHED.add(model)
    evaluation_weights.move_to(optimizer, evaluation=True)
    unwrap_methods(model)
    _wrap_methods(model)


def uninstall(model: Any) -> None:
    """Remove the hooks of the previous `compile` from a model."""
    if "_optlab_hooks" in vars(model):
        hooks = _hooks(model)
        for one in [x for x in hooks.ours if x not in hooks.attached]:
            one.models.discard(model)
        hooks.ours, hooks.compiled = [], []
        unwrap_methods(model)


def unwrap_methods(model: Any) -> None:
    """Unwrap the methods of a model."""
    hooks = _hooks(model)
    for name in hooks.methods:
        vars(model).pop(name, None)
    hooks.methods = []


def training(model: Any) -> contextlib.AbstractContextManager[None] | None:
    """Return a context in which a model trains with attached optimizers, if it does."""
    _build(model)
    return _training_of_attached(model) if _trains_attached(model) else None


@contextlib.contextmanager
def around_fit_of(model: Any, callbacks: list[Any]) -> Iterator[None]:
    """Have the training weights of attached optimizers during `fit`."""
    del callbacks
    _fits.append(True)
    try:
        with training(model) or contextlib.nullcontext():
            yield
    finally:
        _fits.pop()


_fits: list[bool] = []  # one for each `fit` that runs now


_before_looking: dict[str, Callable[[Any], None]] = {}


def before_looking(hook: Callable[[Any], None]) -> None:
    """Register a function to call before the evaluation weights are used.

    Args:
        hook: A function of the model, before its methods in `LOOKING`.
    """
    _before_looking[f"{hook.__module__}.{hook.__qualname__}"] = hook


def warn_of_averages(optimizer: BuiltOptimizer) -> None:
    """Warn, once, of an optimizer in `fit` whose evaluation weights no model gets."""
    if not _fits or vars(optimizer).get("_warned_of_averages"):
        return
    vars(optimizer)["_warned_of_averages"] = True
    warnings.warn(
        f"{optimizer!r} has evaluation weights, which differ from its training "
        "weights, and no model was compiled with it: `evaluate`, `predict` and `save` "
        "will use the training weights. Call `optimizer.attach(model)` with the model "
        "whose weights it trains, before `fit`; or use that model within `with "
        "optimizer.evaluation_weights():`.",
        stacklevel=2,
    )


def at_evaluation_weights(model: Any) -> contextlib.AbstractContextManager[None]:
    """Return a context with a model's evaluation weights; restore others at exit."""
    hooks = vars(model).get("_optlab_hooks")
    return contextlib.nullcontext() if hooks is None else _at_evaluation_weights(hooks)


# Helpers.


def _hooks(model: Any) -> ModelHooks:
    return vars(model).setdefault("_optlab_hooks", ModelHooks(model))


def _build(model: Any) -> None:
    """Build an optimizer before the first step, if the model has weights.

    An error raised here has a short traceback and is raised again at each call.
    TensorFlow cannot retrace a function that has created variables and failed.
    """
    if "_optlab_hooks" not in vars(model) or model.optimizer is None:
        return
    if model.optimizer.built or not model.built or _overrides_training(model):
        return
    if _hooks(model).ours and not is_distributed(model):
        model.optimizer.build(model.trainable_variables)


def _overrides_training(model: Any) -> bool:
    """Return whether a model overrides a method of Keras that trains."""
    own = (getattr(type(model), k) is not getattr(keras.Model, k) for k in TRAINERS)
    return any(own)


def _trains_attached(model: Any) -> bool:
    """Find the attached optimizers that a model trains; return whether there are any.

    Keras' own `train_step` uses only the optimizer of `compile`.
    """
    if not len(ATTACHED) or not _overrides_training(model):
        return False
    hooks = _hooks(model)
    layers = {id(layer) for layer in sublayers(model)}
    within = [m for m in ATTACHED if id(m) in layers]
    hooks.inner = [o for m in within for o in _hooks(m).attached]
    if hooks.inner:
        unwrap_methods(model)
        _wrap_methods(model)
    return bool(hooks.inner or hooks.attached)


@contextlib.contextmanager
def _training_of_attached(model: Any) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for optimizer in _hooks(model).trained_within:
            stack.enter_context(evaluation_weights.with_training_weights(optimizer))
        yield


def _wrap_methods(model: Any) -> None:
    """Wrap the methods of a model for its optimizers."""
    hooks = _hooks(model)
    methods: dict[str, Callable[..., Any]] = {}
    compiled: Any = inner_optimizer(model.optimizer) if model.compiled else None
    if getattr(compiled, "needs_second_pass", False):
        methods["train_step"] = with_second_pass(model, model.train_step)
    forms = []
    if hooks.compiled:
        forms += [(("fit",), _training), (("train_on_batch",), _training_a_batch)]
    if hooks.optimizers:
        forms += [(EVALUATING, _evaluating), (REPLACING, _replacing)]
        forms += [(("set_state_tree",), _setting_tree)]
    for names, form in forms:
        methods |= {k: partial(form, hooks, getattr(model, k)) for k in names}
    if getattr(compiled, "skip_non_finite", False):
        step = methods.get("train_step") or model.train_step
        methods["train_step"] = with_statistics_kept(model, step)
        once = methods.get("train_on_batch") or model.train_on_batch
        methods["train_on_batch"] = partial(_counted, compiled, once)
    averaging = [o for o in hooks.ours if o.averages_statistics or o.use_ema]
    if averaging and keras.backend.backend() == "jax":
        step = methods.get("train_step") or model.train_step
        methods["train_step"] = with_statistics_averaged(model, averaging, step)
    if "train_step" in methods:
        make = model.make_train_function
        methods["make_train_function"] = partial(_with_new_step_object, model, make)
    if hooks.compiled and keras.backend.backend() == "tensorflow":
        make = methods.get("make_train_function") or model.make_train_function
        methods["make_train_function"] = partial(_with_moves, hooks, make)
    vars(model).update(methods)
    hooks.methods = list(methods)


def _training(
    hooks: ModelHooks, method: Callable[..., Any], *args: Any, **kw: Any
) -> Any:
    for optimizer in hooks.compiled:
        _check_weights(hooks, optimizer)
    if len(hooks.compiled) == 1:  # faster, for loops of `train_on_batch`
        with evaluation_weights.with_training_weights(hooks.compiled[0]):
            return method(*args, **kw)
    with contextlib.ExitStack() as stack:
        for optimizer in hooks.compiled:
            stack.enter_context(evaluation_weights.with_training_weights(optimizer))
        return method(*args, **kw)


def _training_a_batch(
    hooks: ModelHooks, method: Callable[..., Any], *args: Any, **kw: Any
) -> Any:
    """Train a batch, and switch the weights in the same compiled call if possible."""
    model: Any = hooks.model()
    optimizer = hooks.compiled[0]
    _build(model)
    model.make_train_function()
    function = model.train_function
    ready = optimizer.built and optimizer.at_evaluation_weights
    if not ready or not isinstance(function, TrainFunction):
        return _training(hooks, method, *args, **kw)
    _check_weights(hooks, optimizer)
    function.moves = True
    try:
        return method(*args, **kw)
    finally:
        function.moves = False


def _with_moves(
    hooks: ModelHooks, make: Callable[..., None], force: bool = False
) -> None:
    """Make a train function that can switch the weights of one optimizer."""
    model: Any = hooks.model()
    if len(hooks.compiled) > 1 or not can_move(model):
        make(force)
    elif model.train_function is None or force:
        model.train_function = TrainFunction(model, hooks.compiled[0], make)


def _with_new_step_object(
    model: Any, make: Callable[..., None], force: bool = False
) -> None:
    """Make the train function of a copied step, as JAX caches traces by object."""
    vars(model)["train_step"] = copy.copy(vars(model)["train_step"])
    make(force)


def _counted(
    optimizer: BuiltOptimizer, method: Callable[..., Any], *args: Any, **kw: Any
) -> Any:
    if not optimizer.skip_watch.calls:
        refresh_copies(optimizer)
    result = method(*args, **kw)
    optimizer.skip_watch.count()
    return result


def _check_weights(hooks: ModelHooks, optimizer: BuiltOptimizer) -> None:
    """Raise if an optimizer was built for another model, whose weights would switch."""
    if not optimizer.built or hooks.checked is optimizer.plan:
        return
    here = {id(w) for w in getattr(hooks.model(), "weights", [])}
    others = [p.path for p in optimizer.plan.parameters if id(p.variable) not in here]
    if others:
        raise ValueError(
            f"Unknown variables: {optimizer!r} was built for weights of another "
            f"model: {others[0]!r} is not a weight of this model. Compile each model "
            "with an optimizer of its own, or recreate the optimizer for this model."
        )
    hooks.checked = optimizer.plan


def _evaluating(
    hooks: ModelHooks, method: Callable[..., Any], *args: Any, **kw: Any
) -> Any:
    if getattr(method, "__name__", "") in LOOKING:
        for prepare in _before_looking.values():
            prepare(hooks.model())
    with _at_evaluation_weights(hooks):
        return method(*args, **kw)


@contextlib.contextmanager
def _at_evaluation_weights(hooks: ModelHooks) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for optimizer in hooks.optimizers:
            stack.enter_context(evaluation_weights.with_evaluation_weights(optimizer))
        yield


def _replacing(
    hooks: ModelHooks, method: Callable[..., Any], *args: Any, **kw: Any
) -> Any:
    """Read evaluation weights, also while a model trains."""
    with contextlib.ExitStack() as stack:
        for optimizer in hooks.optimizers:
            stack.enter_context(evaluation_weights.loading_weights(optimizer))
        return method(*args, **kw)


def _setting_tree(
    hooks: ModelHooks, method: Callable[..., Any], state_tree: Any
) -> None:
    """Write a tree as `get_state_tree` returns it, with or without optimizer state."""
    with contextlib.ExitStack() as stack:
        for optimizer in hooks.optimizers:
            stack.enter_context(evaluation_weights.loading_weights(optimizer))
            optimizer.times_loaded += "optimizer_variables" in state_tree
        method(state_tree)
