"""Processes of one training find each other, before JAX connects them.

JAX ends a process, with a trace of its C++ code, if another one does not come or the
port is taken. Here this is an error that says what is wrong.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import time
from typing import Any

from keras_optlab.core.errors import shown

WAIT = 300  # seconds, as JAX waits
PAUSE = 0.2


def meet(coordinator: str, process: int, processes: int, call: Any) -> None:
    """Return when all processes are there and have made the same call.

    Args:
        coordinator: `"host:port"` of process 0.
        process: Number of this process, from 0.
        processes: Number of processes.
        call: What was called, as JSON values.

    Raises:
        ValueError: if `coordinator` cannot be read, or the calls differ.
        ConnectionError: if a process does not come, or the port is taken.
    """
    host, port = _read(coordinator)
    digest = hashlib.sha256(json.dumps(call, sort_keys=True).encode()).hexdigest()[:16]
    until = time.monotonic() + WAIT
    if process == 0:
        _receive(port, processes, digest, until)
    else:
        _report(host, port, [process, processes, digest], until)


def _read(coordinator: Any) -> tuple[str, int]:
    if isinstance(coordinator, str):
        host, _, port = coordinator.rpartition(":")
        if host and port.isdecimal() and 0 < int(port) < 2**16:
            return host.strip("[]"), int(port)
    raise ValueError(
        "`coordinator` must be 'host:port' of process 0, such as '10.0.0.1:12345'. "
        f"Received: coordinator={shown(coordinator)}"
    )


def _receive(port: int, processes: int, digest: str, until: float) -> None:
    """Wait for the other processes, and let them go on together."""
    try:
        server = socket.create_server(("", port))
    except OSError as error:
        raise ConnectionError(
            f"Process 0 cannot listen. Received: port {port}: {error.strerror}. Choose "
            "another port in `coordinator`, for all processes."
        ) from error
    with server, contextlib.ExitStack() as connections:
        come: dict[int, socket.socket] = {}
        while len(come) < processes - 1:
            server.settimeout(max(PAUSE, until - time.monotonic()))
            try:
                connection, _ = server.accept()
            except TimeoutError:
                missing = sorted({*range(1, processes)} - {*come})
                raise ConnectionError(
                    f"Processes {missing} of {processes} have not come within {WAIT} "
                    "seconds. Start them with the same command and their own "
                    "`process`."
                ) from None
            connections.enter_context(connection)
            _greet(connection, come, processes, digest)
        for connection in come.values():
            connection.sendall(b"go\n")
        for connection in come.values():
            connection.recv(1)  # it has closed, so that the port is free again


def _greet(
    connection: socket.socket, come: dict[int, Any], processes: int, digest: str
) -> None:
    """Take a process in, or tell it why not."""
    connection.settimeout(10)
    try:
        number, its_processes, its_digest = json.loads(_line(connection))
    except (ValueError, TypeError, OSError):
        return  # something else that looks at ports
    if its_processes != processes:
        why = f"process 0 was started with processes={processes}"
    elif number in come:
        why = f"another process has process={number}"
    elif its_digest != digest:
        why = (
            "process 0 was started with other arguments: problem, optimizer, seed and "
            "devices must be equal"
        )
    else:
        come[number] = connection
        return
    with contextlib.suppress(OSError):
        connection.sendall(f"{why}\n".encode())


def _report(host: str, port: int, who: list[Any], until: float) -> None:
    """Tell process 0 that this process is there, and wait until all are."""
    while True:
        left = until - time.monotonic()
        try:
            connection = socket.create_connection((host, port), timeout=max(1, left))
            break
        except OSError as error:
            if time.monotonic() > until or isinstance(error, socket.gaierror):
                raise ConnectionError(
                    f"Process 0 does not answer within {WAIT} seconds. Received: "
                    f"coordinator='{host}:{port}': {error}. Start process 0, and check "
                    "the address."
                ) from error
            time.sleep(PAUSE)
    with connection:
        connection.settimeout(max(1, until - time.monotonic()))
        try:
            connection.sendall(json.dumps(who).encode() + b"\n")
            answer = _line(connection)
        except OSError as error:
            raise ConnectionError(
                f"Process 0 ended, or other processes have not come: {error}"
            ) from error
    if answer != "go":
        raise ValueError(
            f"The processes do not fit together. Received: process={who[0]}, "
            f"processes={who[1]}: {answer or 'process 0 ended'}."
        )


def _line(connection: socket.socket) -> str:
    """Return what comes before the end of the line, or of the connection."""
    received = b""
    while not received.endswith(b"\n"):
        piece = connection.recv(200)
        if not piece:
            break
        received += piece
    return received.decode().strip()
