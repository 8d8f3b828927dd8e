import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from keras_optlab import diagnosis
from keras_optlab.cli import console
from keras_optlab.cli.progress import Steps
from keras_optlab.diagnosis.findings import Diagnosis, Finding

RECORD = {
    "label": "adamw",
    "setting": {"optimizer": "adamw", "arguments": {"learning_rate": 0.01}},
    "status": "complete",
    "value": 0.987,
    "reached": {"updates": 40, "seconds": 2.0},
    "updates": 100,
    "seconds": 5.0,
    "step_seconds": 0.05,
    "total_seconds": 9.0,
    "parameters": 1234,
    "optimizer_bytes": 9876,
}


@pytest.fixture
def trained(monkeypatch):
    """Stand in for `lab.train`; return what it is called with."""
    given = {}

    def train(problem, optimizer, **more):
        given.update(more, problem=problem, optimizer=optimizer)
        for step in range(1, 11):
            more["progress"](step, 10, {"loss": 1 / step})
        return RECORD | given.get("record", {})

    fake, devices = ModuleType("train"), ModuleType("devices")
    fake.train, devices.is_first_process = train, lambda: True
    monkeypatch.setitem(sys.modules, "keras_optlab.lab.train", fake)
    monkeypatch.setitem(sys.modules, "keras_optlab.lab.devices", devices)
    return given


def test_a_training_is_run_and_told(optlab, trained):
    options = "--set learning_rate=3e-3 --set nesterov=True --schedule one-cycle"
    more = "--epochs 2 --batch-size 64 --devices 2 --stop-at-target --seed 5"
    result = optlab("train", "mnist-mlp", *options.split(), *more.split())
    arguments = {"learning_rate": 3e-3, "nesterov": True, "schedule": "one_cycle"}
    assert trained["arguments"] == arguments
    assert trained["changes"] == {"epochs": 2.0, "batch_size": 64}
    assert (trained["devices"], trained["seed"]) == (2, 5)
    assert trained["stop_at_target"]
    text = " ".join(result.stdout.split())
    assert "accuracy on the test data: 0.987" in text
    assert "target accuracy 0.98: after 40 updates, 2 s" in text
    assert "10 of 10 updates: loss 0.1" in result.stderr


def test_processes_are_passed_on(optlab, trained):
    options = "--coordinator host:12 --process 1 --processes 2"
    optlab("train", "mnist-mlp", *options.split())
    found = [trained[k] for k in ("coordinator", "process", "processes", "devices")]
    assert found == ["host:12", 1, 2, None]


def test_a_training_that_fails_has_an_exit_code(optlab, trained):
    trained["record"] = {"status": "failed", "error": "ValueError: no"}
    assert "ValueError: no" in optlab("train", "mnist-mlp", code=1).output


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["mnist-mpl"], "mnist-mlp"),
        (["mnist-mlp", "--schedule", "onecylce"], "onecycle"),
        (["mnist-mlp", "--set", "0.1"], "--set learning_rate=3e-3"),
        (["nowhere.py"], "nowhere.py"),
    ],
)
def test_wrong_arguments_of_a_training_are_refused(optlab, trained, arguments, hint):
    assert hint in optlab("train", *arguments, code=2).output
    assert not trained


def test_a_line_is_printed_at_every_tenth_where_there_is_no_terminal(capsys):
    console.errors.file = None
    steps = Steps("updates")
    with steps.shown():
        for done in range(1, 101):
            steps.advance(done, 100, "")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[0] == "1 of 100 updates"  # no time is known yet
    assert lines[1] == "10 of 100 updates, 0 s left"
    assert lines[-1] == "100 of 100 updates"


@pytest.mark.every
def test_find_rate_prints_rates_chart_and_picture(optlab, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import keras, numpy as np\n"
        "from keras_optlab.lab import Problem\n"
        "def problem():\n"
        "    x = np.random.default_rng(0).normal(size=(200, 4)).astype('float32')\n"
        "    def model():\n"
        "        layers = [keras.Input((4,)), keras.layers.Dense(1)]\n"
        "        return keras.Sequential(layers)\n"
        "    return Problem(model, (x, x[:, :1]), 'mse', name='mine')\n"
    )
    options = "--optimizer sgd --steps 60 --runs 2"
    output = optlab("find-rate", "mine.py", *options.split()).stdout
    assert "Good rates:" in output
    assert "optlab train mine.py --optimizer sgd --set learning_rate=" in output
    assert (tmp_path / "rate-mine-sgd.png").exists()


def test_findings_are_printed_with_what_to_try(optlab, monkeypatch):
    finding = Finding("overfitting", "warning", "val_loss rises.", "EarlyStopping()")
    found = Diagnosis([finding], ["overfitting", "plateau"], {"rate": "there is none"})
    monkeypatch.setattr(diagnosis, "diagnose", lambda _: found)
    output = optlab("diagnose", "runs").output
    assert "warning: val_loss rises." in output
    assert "    EarlyStopping()" in output
    assert "Fine: plateau." in output
    assert "Not judged, since there is none: rate." in output


def test_a_log_that_is_not_there_is_refused(optlab):
    assert "Error: " in optlab("diagnose", "nowhere", code=2).output


def test_verify_tells_what_is_not_as_expected(optlab, monkeypatch, tmp_path):
    from keras_optlab.verify import command
    from keras_optlab.verify.rows import Agreement, Disagreement

    given = []
    rows = [
        Agreement("adam", "", "paper", 60, "jax", "float64", 1e-15, 1e-10),
        Agreement("lion", "beta_1=0.8", "optax.lion", 60, "jax", "float64", 0.5, 1e-9),
        Disagreement("adam", "", "optax.amsgrad", 20, "jax", "the order", 1e-15, 0.4),
    ]
    monkeypatch.setattr(command, "collect", lambda *some: given.extend(some) or rows)
    output = optlab(
        "verify", "adam", "LION", "--backend", "jax", "--markdown", "x.md", code=1
    )
    assert given == [["adam", "lion"], ["jax"]]
    assert "5e-01 NO" in output.output
    assert "the order" in output.output
    assert "3 comparisons, 1 not as expected" in output.output
    assert (tmp_path / "x.md").read_text().startswith("# Comparison")


def test_verify_refuses_what_it_does_not_know(optlab):
    assert "'adam'" in optlab("verify", "adamv", code=2).output
    assert "installed backends" in optlab("verify", "--backend", "jaxx", code=2).output


@pytest.mark.every
def test_the_doctor_trains_and_names_what_is_missing(optlab, monkeypatch):
    from keras_optlab.cli import doctor

    parts = (("nonsense", ("no_such_module",), "plot"),)
    monkeypatch.setattr(doctor, "PARTS", parts)
    output = optlab("doctor").output
    assert "a training with AdamW: works" in output
    assert "missing  nonsense" in output
    assert 'pip install "keras-optlab[plot]"' in output


def test_chatter_of_backends_is_left_out():
    lines = [
        "WARNING: All log messages before absl::InitializeLog() is called are ...",
        "I0000 00:00:1795793469.857667 20318 port.cc:153] oneDNN custom operations",
        "2026-11-27 15:00:00.123456: I tensorflow/core/platform/cpu.cc:1] AVX2",
        "E0000 00:00:1 2 x.cc:1] out of memory",
        "UserWarning: [bold] something",
    ]
    code = (
        "import keras_optlab_command as command; command.postpone()\n"
        "import os, time; from keras_optlab.cli import noise\n"
        "with noise.filtered():\n"
        f"    os.write(2, {chr(10).join(lines).encode() + b'...' + bytes([10])!r})\n"
        "    time.sleep(0.3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert done.stderr.splitlines() == [lines[3], f"{lines[4]}..."]


@pytest.mark.parametrize("name", ["jaxx", "tensorflow1"])
def test_an_unknown_backend_is_refused(optlab, name):
    output = optlab("doctor", "--backend", name, code=2).output
    assert "tensorflow, jax or torch" in output.replace(", torch", " or torch")


def test_another_backend_starts_keras_anew(monkeypatch):
    from keras_optlab.cli import loading

    started = []
    monkeypatch.setattr(os, "execv", lambda *given: started.append(given))
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda _: SimpleNamespace)
    fake = SimpleNamespace(backend=SimpleNamespace(backend=lambda: "tensorflow"))
    monkeypatch.setitem(sys.modules, "keras", fake)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    loading.choose_backend("tensorflow")
    assert not started
    loading.choose_backend("jax")
    assert started
    assert os.environ["KERAS_BACKEND"] == "jax"
