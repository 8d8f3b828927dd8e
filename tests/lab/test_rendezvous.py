"""Processes find each other before they train together."""

import socket
import threading

import pytest

from keras_optlab.lab import rendezvous
from keras_optlab.lab.rendezvous import meet


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def together(port, *whos):
    """Return the errors of processes that meet, each `(process, processes, call)`."""
    errors = [None] * len(whos)

    def one(i, who):
        try:
            meet(f"127.0.0.1:{port}", *who)
        except (ValueError, ConnectionError) as error:
            errors[i] = str(error)

    threads = [threading.Thread(target=one, args=(i, w)) for i, w in enumerate(whos)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return errors


def test_processes_meet_in_any_order(port):
    whos = [(i, 3, ["same"]) for i in (2, 0, 1)]
    assert together(port, *whos) == [None] * 3
    with socket.create_server(("", port)):  # for JAX, which listens there next
        pass


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ((1, 3, ["same"]), "processes=2"),
        ((1, 2, ["other"]), "other arguments"),
    ],
)
def test_processes_that_do_not_fit(port, other, words, monkeypatch):
    monkeypatch.setattr(rendezvous, "WAIT", 0.5)
    first, second = together(port, (0, 2, ["same"]), other)
    assert words in second
    assert "Processes [1] of 2 have not come" in first


def test_a_number_that_is_there_twice(port, monkeypatch):
    monkeypatch.setattr(rendezvous, "WAIT", 0.5)
    whos = [(0, 3, []), (1, 3, []), (1, 3, [])]
    assert any("another process has process=1" in e for e in together(port, *whos))


def test_process_0_is_not_there(port, monkeypatch):
    monkeypatch.setattr(rendezvous, "WAIT", 0.1)
    with pytest.raises(ConnectionError, match="Start process 0"):
        meet(f"127.0.0.1:{port}", 1, 2, [])


def test_the_port_is_taken():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConnectionError, match="Choose another port"):
            meet(f"127.0.0.1:{port}", 0, 2, [])


@pytest.mark.parametrize("coordinator", ["host", "host:", "host:0", ":1", 5])
def test_bad_addresses(coordinator):
    with pytest.raises(ValueError, match="'host:port'"):
        meet(coordinator, 1, 2, [])
