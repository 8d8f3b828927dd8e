"""Addresses of Ray clusters."""

from __future__ import annotations

import socket

from keras_optlab.core.errors import shown

WAIT = 5.0  # seconds


def check_answers(address: str) -> None:
    """Raise if nothing listens at an address: Ray would try for over two minutes.

    Args:
        address: `"auto"`, `"host:port"` or `"ray://host:port"`.

    Raises:
        ValueError: if the address cannot be read.
        ConnectionError: if nothing listens there.
    """
    if address == "auto":
        return
    text = address.removeprefix("ray://") if isinstance(address, str) else ""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(
            "`address` must be 'host:port', 'ray://host:port' or 'auto'. "
            f"Received: address={shown(address)}"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), WAIT).close()
    except OSError as error:
        raise ConnectionError(
            "Nothing answers at the address of the Ray cluster. Received: "
            f"address={shown(address)}: {error}. `ray status` on a node shows whether "
            "it runs; `ray start --head` prints its address."
        ) from error
