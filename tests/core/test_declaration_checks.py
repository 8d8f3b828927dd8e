"""Mistakes of a rule's author: refused when the class is defined, or at its step."""

import importlib
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers, transforms
from keras_optlab.core import Hyper, Slot
from keras_optlab.core.registry import _classes, _wrappers
from keras_optlab.verify.problems import apply, variables


@pytest.fixture(autouse=True)
def forgotten():
    """Leave the registry as it was."""
    before = dict(_classes), dict(_wrappers)
    yield
    for entries, old in zip((_classes, _wrappers), before, strict=True):
        entries.clear()
        entries.update(old)


def update(self, w, g, s, h, t):
    return -h.learning_rate * g, s


def rule(**attributes):
    """Define an optimizer with these attributes."""
    return type("Mine", (optimizers.Optimizer,), {"update": update} | attributes)


def transform(**attributes):
    return type("Mine", (transforms.Transform,), attributes)


def wrapper(**attributes):
    return type("Around", (optimizers.Wrapper,), attributes)


NUMBER = Hyper(default=0.5, doc="a number")
MISTAKES = {
    "a hook": (
        lambda: rule(prepare=Hyper(default=0.5, doc="x")),
        "cannot declare an argument `prepare`, since `Rule` uses this name. "
        "Rename it, for example to `mine_prepare`",
    ),
    "state of the engine": (
        lambda: rule(plan=Hyper(default=0.5, doc="x")),
        "argument `plan`, since the engine uses",
    ),
    "a property": (
        lambda: rule(transforms=Hyper(default=0.5, doc="x")),
        "argument `transforms`, since `Optimizer` uses",
    ),
    "Keras' property": (
        lambda: rule(iterations=Hyper(default=1.0, doc="x")),
        "argument `iterations`, since `BaseOptimizer` uses",
    ),
    "Keras' attribute": (
        lambda: rule(built=Hyper(default=1.0, doc="x")),
        "argument `built`, since the engine uses",
    ),
    "a method of Values": (
        lambda: rule(cast=Hyper(default=1.0, doc="x")),
        "argument `cast`, since `Values`, from which a rule reads it, uses",
    ),
    "the number of the update": (
        lambda: rule(count=Hyper(default=1.0, doc="x")),
        "argument `count`, since `Values`",
    ),
    "slots that are one": (
        lambda: rule(slots=Slot("m")),
        r"`slots` of Mine must be a tuple of Slots. Received: slots=Slot\(.*Write `",
    ),
    "slots in a list": (lambda: rule(slots=[Slot("m")]), "must be a tuple of Slots"),
    "slots of strings": (lambda: rule(slots=("m",)), "must be a tuple of Slots"),
    "shared state in a list": (
        lambda: rule(shared=[Slot("m")]),
        "`shared` of Mine must",
    ),
    "a slot twice": (
        lambda: rule(slots=(Slot("m"), Slot("m"))),
        "slot 'm' of Mine is declared twice; give each its own name",
    ),
    "a slot named as a method": (
        lambda: rule(slots=(Slot("next"),)),
        r"slot 'next' of Mine has a name that `Values` uses. .*`Slot\('next_'\)`",
    ),
    "when= of no argument": (
        lambda: rule(slots=(Slot("m", when="momentum"),)),
        "unknown argument. Received: when='momentum'. Declare `momentum`. Known: learn",
    ),
    "init= of no argument": (
        lambda: rule(slots=(Slot("m", init="first"),)),
        "refers to an unknown argument. Received: init='first'",
    ),
    "shape= of no kind": (
        lambda: rule(slots=(Slot("m", shape="matrix"),)),
        "unknown shape. Received: shape='matrix'. Write one of 'weight', 'scalar'",
    ),
    "no update": (
        lambda: type("Mine", (optimizers.Optimizer,), {}),
        r"Mine must implement `update\(self, w, g, s, h, t\)`",
    ),
    "no run": (
        lambda: transform(),
        r"Mine must implement `run\(self, xs, seen, s, z, h\)`; or derive it from",
    ),
    "a transform's slots": (
        lambda: transform(run=print, slots=[Slot("m")]),
        "`slots` of Mine must be a tuple",
    ),
    "a wrapper's argument": (
        lambda: wrapper(weight_decay=Hyper(default=0.1, doc="x")),
        "Around and Optimizer both declare `weight_decay`",
    ),
    "a hook of what is wrapped": (
        lambda: wrapper(prepare=Hyper(default=0.1, doc="x")),
        "argument `prepare`, since `Rule` uses",
    ),
    "a wrapper's hook": (
        lambda: wrapper(check=Hyper(default=0.1, doc="x")),
        "argument `check`, since `Wrapper` uses",
    ),
    "a wrapper's slot": (
        lambda: wrapper(slots=(Slot("m"),))(optimizers.Adam()),
        r"Around and Adam both declare `m` \(slots\); rename it in Around, ",
    ),
    "a wrapper's shared state": (
        lambda: wrapper(shared=(Slot("d", init=1.0),))(optimizers.Prodigy()),
        r"Around and Prodigy both declare `d` \(shared\)",
    ),
    "an argument of what is wrapped": (
        lambda: wrapper(beta_1=Hyper(default=0.1, doc="x"))(optimizers.Adam()),
        r"Around and Adam both declare `beta_1` \(argument\)",
    ),
}


@pytest.mark.parametrize(("define", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_class_with_a_mistake_is_refused(define, message):
    with pytest.raises(TypeError, match=message):
        define()


def test_a_base_of_others_needs_no_update():
    class Base(optimizers.Optimizer, registered=False):
        slots = (Slot("m"),)

    class Mine(Base):
        update = update

    assert "mine" in optimizers.names()
    assert "base" not in optimizers.names()
    assert Mine().slots == Base.slots


def test_an_inherited_argument_may_be_declared_anew():
    class Mine(optimizers.Adam):
        beta_1: float = Hyper(default=0.5, doc="another default")

    assert Mine().beta_1 == 0.5


def returning(result, **attributes):
    """Return an optimizer whose `update` returns what a function makes of its `s`."""
    mine = rule(update=lambda self, w, g, s, h, t: result(w, s), **attributes)
    return mine()


M = {"slots": (Slot("m"),)}
RESULTS = {
    "the step alone": (
        lambda: returning(lambda w, s: w),
        TypeError,
        r"`update` of Mine must return the step and the slots, as in `return step, .*"
        r"Received: a tensor of shape \(2, 3\)",
    ),
    "None": (lambda: returning(lambda w, s: None), TypeError, "Received: None"),
    "three": (
        lambda: returning(lambda w, s: (w, s, s)),
        TypeError,
        "Received: a tuple of 3",
    ),
    "a number": (
        lambda: returning(lambda w, s: (0.0, s)),
        TypeError,
        "must return a step like the weight, a tensor. Received: 0.0",
    ),
    "another shape": (
        lambda: returning(lambda w, s: (ops.sum(w), s), elementwise=False),
        ValueError,
        r"a step like the weight, of shape \(2, 3\). Received: shape \(\)",
    ),
    "another type": (
        lambda: returning(lambda w, s: (ops.cast(w, "int32"), s)),
        TypeError,
        "of type float32. Received: type int32",
    ),
    "slots as a dict": (
        lambda: returning(lambda w, s: (w, {"m": w}), **M),
        TypeError,
        r"must return the slots as second value, `s` or `s.next\(...\)`",
    ),
    "a slot too many": (
        lambda: returning(lambda w, s: (w, s.extend(n=w)), **M),
        ValueError,
        r"must return the slots \['m'\]; use `s.next\(...\)`. Received: \['m', 'n'\]",
    ),
    "a slot of another shape": (
        lambda: returning(lambda w, s: (w, s.next(m=w[0])), elementwise=False, **M),
        ValueError,
        r"must keep the slot 'm', of shape \(2, 3\). Received: shape \(3,\)",
    ),
}


@pytest.mark.parametrize(
    ("make", "error", "message"), RESULTS.values(), ids=list(RESULTS)
)
def test_what_update_returns_is_checked_in_the_first_step(make, error, message):
    ws = variables([np.ones((2, 3))])
    with pytest.raises(error, match=message):
        apply(make(), [np.ones((2, 3))], ws)


def test_what_update_returns_is_checked_once():
    seen = []

    class Mine(optimizers.Optimizer):
        def update(self, w, g, s, h, t):
            seen.append(self.update_is_checked)
            return -h.learning_rate * g, s

    optimizer, ws = Mine(sparse="dense"), variables([np.ones((2, 3))])
    for _ in range(2):
        apply(optimizer, [np.ones((2, 3))], ws)
    assert not seen[0]
    assert seen[-1]


def test_importing_again_adds_no_hook_twice():
    before = {
        name: getattr(keras.Model, name)
        for name in ("fit", "compile", "train_on_batch")
    }
    count = {name: len(method.hooks) for name, method in before.items()}
    importlib.reload(sys.modules["keras_optlab.engine.backend.keras_hooks"])
    importlib.reload(sys.modules["keras_optlab.engine"])
    for name, method in before.items():
        assert getattr(keras.Model, name) is method
        assert len(method.hooks) == count[name]


def test_dir_shows_what_is_for_users():
    theirs = {n for n in dir(keras.optimizers.Adam()) if n[0] != "_"}
    ours = {n for n in dir(optimizers.Adam()) if n[0] != "_"}
    assert theirs <= ours
    assert len(ours - theirs) <= 28
    assert {"adjust", "training_weights", "groups", "skipped_steps"} <= ours
    assert not {"update", "slots", "plan", "paper"} & ours

    class Mine(optimizers.Optimizer):
        update = update

        def explain(self):
            """What a class has of its own is shown."""

    assert "explain" in dir(Mine())


@pytest.mark.parametrize("cls", [optimizers.Adam, optimizers.Optimizer])
def test_the_help_of_a_class_has_the_arguments_of_all(cls):
    assert cls.__doc__.count("Arguments of every optimizer:") == 1
    for name in ("weight_decay:", "gradient_transforms:", "slot_dtype:"):
        assert name in cls.__doc__
    assert "weight_decay:" not in optimizers.EMA.__doc__  # give it to the inner one


def test_info_tells_what_an_optimizer_is():
    adam, prodigy = optimizers.info("adam"), optimizers.info("prodigy")
    assert adam.hyperparameters["learning_rate"].adjustable
    assert (adam.elementwise, adam.learning_rate_free) == (True, False)
    assert (prodigy.elementwise, prodigy.learning_rate_free) == (False, True)
    assert not optimizers.info("mechanic").elementwise
    assert "beta_1" in optimizers.info("adamw").hyperparameters
    assert "clipnorm" not in optimizers.info("adamw").hyperparameters
    assert adam.bytes_per_parameter == 8.0
    for name in [*optimizers.names(), *optimizers.wrappers()]:
        about = optimizers.info(name)
        if about.cls.__module__.startswith("keras_optlab."):
            assert about.family not in ("other", "wrapper"), name
