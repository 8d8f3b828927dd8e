"""Track: scalars for any experiment tracker, and the trackers of the example."""

import ast
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from keras_optlab.callbacks import Monitor, Track, Validate
from keras_optlab.callbacks.track import Tracker
from keras_optlab.optimizers import SGD
from keras_optlab.schedules import Cosine
from tests.support.logs import X, Y, fit, line

EXAMPLE = str(Path(__file__).parents[2] / "examples" / "trackers.py")


class Lists:
    """A tracker that keeps what it gets."""

    def __init__(self):
        self.calls = []

    def log(self, values, step):
        self.calls.append((step, values))


def compared(values):
    """Return the scalars by tag, without those of a clock."""
    tags = [k for k in values if "/" in k and not k.startswith("throughput/")]
    return {k: values[k] for k in tags}


def test_a_tracker_gets_what_monitor_keeps():
    tracker, monitor = Lists(), Monitor(3, 1)
    model = line(SGD(Cosine(0.2, steps=10), global_clipnorm=1.0))
    fit(model, [Track(tracker, 3, 1), monitor], validation_data=(X, Y))
    assert isinstance(tracker, Tracker)
    steps = [step for step, _ in tracker.calls]
    assert steps == sorted(steps)
    rows = {}
    for step, values in tracker.calls:
        assert all(type(v) is float for v in values.values())
        rows.setdefault(step, {}).update(compared(values))
    kept = {row["step"]: compared(row) for row in monitor.rows}
    assert rows.keys() == kept.keys()
    for step, row in kept.items():
        assert rows[step] == pytest.approx(row)


@pytest.mark.every
def test_validations_in_the_middle_of_epochs():
    tracker = Lists()
    fit(line(SGD(0.1)), [Track(tracker, 50), Validate(3, data=(X, Y))], epochs=1)
    at = [step for step, values in tracker.calls if "step/val_loss" in values]
    assert at == [3]


@pytest.mark.every
def test_steps_go_on_in_a_second_fit():
    tracker, model = Lists(), line(SGD(0.1))
    track = Track(tracker, every=4)
    fit(model, [track], epochs=1)
    fit(model, [track], epochs=1)
    assert [s for s, values in tracker.calls if "step/loss" in values] == [1, 4, 8]


def test_a_tracker_that_fails_does_not_cost_the_training():
    class Broken(Lists):
        def log(self, values, step):
            super().log(values, step)
            raise ConnectionError("no network")

    tracker, model = Broken(), line(SGD(0.1))
    with pytest.warns(UserWarning, match=r"Broken.log raised.*no network") as told:
        history = fit(model, [Track(tracker, every=1)], epochs=3)
    assert len(history["loss"]) == 3
    assert len([w for w in told if "Track" in str(w.message)]) == 1
    assert len(tracker.calls) == 1


@pytest.mark.parametrize("tracker", [None, print, Lists, {"log": 1}])
def test_a_tracker_must_have_the_method(tracker):
    with pytest.raises(TypeError, match=r"method `log\(values, step\)`. Received: "):
        Track(tracker)


# Stand-ins for what the example calls of wandb, mlflow and aim; only the signature of
# wandb's `log` was read in its source.


class WandbRun(Lists):
    def log(
        self, data: dict[str, Any], step: int | None = None, commit: bool | None = None
    ) -> None:
        self.calls.append((step, data))


def wandb(calls):
    def init(project=None, config=None, **kwargs):
        run = WandbRun()
        run.calls = calls
        return run

    return types.SimpleNamespace(init=init)


def mlflow(calls):
    def log_metrics(
        metrics: dict[str, float],
        step: int | None = None,
        synchronous: bool | None = None,
        run_id: str | None = None,
        timestamp: int | None = None,
        model_id: str | None = None,
        dataset: Any = None,
    ) -> Any:
        calls.append((step, metrics))

    return types.SimpleNamespace(
        log_metrics=log_metrics, log_params=lambda params: None
    )


def aim(calls):
    class Run:
        def __init__(self, run_hash=None, *, repo=None, experiment=None):
            self.parameters = {}

        def __setitem__(self, key, value):
            self.parameters[key] = value

        def track(
            self,
            value,
            name: str | None = None,
            step: int | None = None,
            epoch: int | None = None,
            *,
            context: dict[str, Any] | None = None,
        ) -> None:
            calls.append((step, {name: value}))

    return types.SimpleNamespace(Run=Run)


@pytest.mark.parametrize("library", [wandb, mlflow, aim])
@pytest.mark.slow
def test_the_trackers_of_the_example(monkeypatch, library):
    calls, name = [], library.__name__
    monkeypatch.setitem(sys.modules, name, library(calls))
    tracker = runpy.run_path(EXAMPLE)["TRACKERS"][name]({"learning_rate": 0.1})
    fit(line(SGD(0.1)), [Track(tracker, every=2)], validation_data=(X, Y))
    values = {}
    for step, tags in calls:
        values |= {(step, tag): value for tag, value in tags.items()}
    assert {(1, "step/loss"), (8, "epoch/val_loss")} < values.keys()
    assert (4, "optimizer/gradient_norm") in values


def test_the_examples_are_short():
    text = Path(EXAMPLE).read_text()
    nodes = {x.name: x for x in ast.parse(text).body if hasattr(x, "name")}
    for tracker in ("wandb_tracker", "MLflowTracker", "AimTracker"):
        lines = ast.unparse(nodes[tracker]).splitlines()
        assert len([x for x in lines if x.strip() and '"""' not in x]) <= 10
