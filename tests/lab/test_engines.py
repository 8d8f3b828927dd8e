"""Engines: deaths of workers, errors, Ctrl-C, threads, and equal numbers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import keras
import pytest

from keras_optlab.lab.engines import Here, Running, WorkerDied, make_engine
from keras_optlab.lab.trials import Setting, Trial

BACKEND = keras.backend.backend()
ROOT = Path(__file__).parents[2]
linux = pytest.mark.skipif(
    sys.platform != "linux" or BACKEND != "tensorflow",
    reason="reads /proc; engines are the same for all backends",
)


def trials(count):
    return [Trial("p", "adam", Setting("adam"), index=i) for i in range(count)]


class Deadly:
    """An engine some of whose trials kill their workers.

    Trials end when all workers are busy. While a death among them ends all, trials that
    run again come one at a time.

    Args:
        deaths: How often trials kill, by index.
        loses_all: Whether the others die too.
        workers: Number of workers.
    """

    description = {}

    def __init__(self, deaths, loses_all, workers=2):
        self.deaths, self.loses_all, self.workers = dict(deaths), loses_all, workers
        self.running, self.starts, self.restarts = [], [], 0

    def submit(self, function, trial):
        future = Future()
        self.running.append((future, function, trial))
        self.starts.append(trial.index)
        again = self.starts.count(trial.index) > 1
        if len(self.running) == self.workers or again or trial.index == 4:
            self._end()
        return future

    def _end(self):
        running, self.running = self.running, []
        dying = [t.index for _, _, t in running if self.deaths.get(t.index)]
        for index in dying:
            self.deaths[index] -= 1
        for future, function, trial in running:
            if trial.index in dying or (dying and self.loses_all):
                future.set_exception(WorkerDied("killed"))
            else:
                future.set_result(function(trial))

    def restart(self):
        self.restarts += 1

    def close(self):
        pass


def run(engine, function=lambda trial: trial.as_dict() | {"status": "complete"}):
    records = []
    Running(engine, function, records.append).run(trials(5))
    return {r["index"]: (r["status"], r.get("error", "")) for r in records}


@pytest.mark.parametrize("loses_all", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_trial_whose_worker_died_runs_again(loses_all, workers):
    engine = Deadly({1: 1}, loses_all, workers)
    assert run(engine) == {i: ("complete", "") for i in range(5)}
    assert engine.starts.count(1) == 2
    assert engine.restarts == 1


@pytest.mark.parametrize("loses_all", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_trial_that_always_kills_its_worker_has_failed(loses_all, workers):
    engine = Deadly({1: 99}, loses_all, workers)
    records = run(engine)
    why = "its worker died 3 times; the last time: killed"
    assert records.pop(1) == ("failed", why)
    assert records == {i: ("complete", "") for i in (0, 2, 3, 4)}


def test_trials_that_died_together_run_again_one_at_a_time():
    """So the one that kills is found, and the other one is not blamed."""
    engine = Deadly({1: 99}, loses_all=True)
    assert run(engine)[1][0] == "failed"
    assert engine.starts[:2] == [0, 1]
    assert sorted(engine.starts[2:5]) == [0, 1, 1]


def test_an_error_is_recorded():
    def work(trial):
        if trial.index == 2:
            raise ValueError("no")
        return trial.as_dict() | {"status": "complete"}

    records = run(Here(), work)
    assert records.pop(2) == ("failed", "ValueError: no")
    assert records == {i: ("complete", "") for i in (0, 1, 3, 4)}


def test_the_first_ctrl_c_ends_after_the_trial_that_runs(capsys):
    records = []

    def work(trial):
        if trial.index == 1:
            signal.raise_signal(signal.SIGINT)
        return trial.as_dict()

    before = signal.getsignal(signal.SIGINT)
    running = Running(Here(), work, records.append)
    with pytest.raises(KeyboardInterrupt):
        running.run(trials(5))
    assert [r["index"] for r in records] == [0, 1]
    assert "Ctrl-C again: at once" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_ctrl_c_ends_at_once():
    records = []

    def work(trial):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return trial.as_dict()

    engine = Here()
    closed = []
    engine.close = lambda: closed.append(1)
    with pytest.raises(KeyboardInterrupt):
        Running(engine, work, records.append).run(trials(5))
    assert not records
    assert closed


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"engine": "proceses"}, ValueError, "processes"),
        ({"engine": 3}, TypeError, "expected an engine"),
        ({"engine": "processes", "workers": 0}, ValueError, "workers=0"),
        ({"engine": "here", "address": "a:1"}, ValueError, "engine='ray'"),
        ({"engine": "ray", "address": "nowhere"}, ValueError, "'host:port'"),
        ({"engine": "ray", "workers": True}, ValueError, "workers=True"),
    ],
)
def test_bad_arguments(arguments, error, words):
    for module in {"ray": ["ray"], "processes": ["joblib"]}.get(
        arguments["engine"], []
    ):
        pytest.importorskip(module)
    with pytest.raises(error, match=words):
        make_engine(**arguments)


def test_no_cluster_at_an_address():
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(ConnectionError, match="Nothing answers"):
        make_engine("ray", address=f"127.0.0.1:{port}")
    assert time.monotonic() - begun < 10


def program(*arguments, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": BACKEND}
    return subprocess.run(
        [sys.executable, "-m", "tests.lab.engine_programs", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=550,
        start_new_session=True,  # which gets the Ctrl-C
        **options,
    )


@linux
@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_workers_die_and_the_numbers_are_equal(engine, tmp_path):
    pytest.importorskip("ray" if engine == "ray" else "joblib")
    lines = program("deaths", engine, tmp_path).stdout.splitlines()
    *records, here = json.loads(lines[-1])
    by_index = {r["index"]: r for r in records}
    assert sorted(by_index) == [0, 1, 2, 3, 4]
    assert "worker died 3 times" in by_index[2]["error"]
    assert by_index[3]["error"] == "ValueError: no"
    asked = max(1, len(os.sched_getaffinity(0)) // 2)
    for i in (0, 1, 4):
        assert by_index[i]["status"] == "complete"
        assert by_index[i]["curve"]["loss"] == here["curve"]["loss"]
        assert by_index[i]["threads"] == asked
        assert by_index[i]["busy"] == asked


@linux
@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_ctrl_c_and_a_killed_study_leave_no_processes(engine, tmp_path):
    pytest.importorskip("ray" if engine == "ray" else "joblib")
    done = program("interrupts", engine, tmp_path)
    once, twice, pids = (json.loads(line) for line in done.stdout.splitlines())
    records, started, _ = once
    assert (records, started) == ([0, 1], 2)  # those that ran are kept
    assert twice == [[], 2, 0]  # ended at once, and no process left
    assert done.returncode == -signal.SIGKILL
    until = time.monotonic() + 20
    while any(Path(f"/proc/{p}").exists() for p in pids):
        assert time.monotonic() < until, "workers live on without their study"
        time.sleep(0.2)
