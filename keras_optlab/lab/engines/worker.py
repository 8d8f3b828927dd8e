"""What a worker process needs from the process of the study."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import keras

from keras_optlab.core.arguments import number
from keras_optlab.lab.engines.engine import Function
from keras_optlab.lab.engines.threads import memory_variables, thread_variables

CHECKS = 1.0  # seconds between two looks at whether the study's process is there


def worker_variables(threads: int) -> dict[str, str]:
    """Return the environment variables of a worker."""
    return {
        "KERAS_BACKEND": keras.backend.backend(),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        **thread_variables(threads),
        **memory_variables(),
    }


def keras_settings() -> tuple[str, str, str]:
    """Return what this process has set in Keras for all models."""
    policy = keras.config.dtype_policy().name
    return keras.config.floatx(), policy, keras.config.image_data_format()


def call(
    settings: tuple[str, str, str], function: Function, *arguments: Any
) -> dict[str, Any]:
    """Call a function with the settings of the study's process."""
    if settings != keras_settings():
        floatx, policy, image_data_format = settings
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(image_data_format)
    return function(*arguments)


def _make_initializer() -> Callable[[int, float], None]:
    """Return the function that a worker of this machine calls when it starts.

    It is made in a function, and therefore sent by value: a worker would else import
    the backend first, half a minute without it.
    """

    def initialize(parent: int, checks: float) -> None:
        """Leave Ctrl-C to the study's process; end when that has ended."""
        import os
        import signal
        import threading
        import time

        def watch() -> None:
            while os.getppid() == parent:
                time.sleep(checks)
            os._exit(1)

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=watch, daemon=True).start()

    return initialize


initialize = _make_initializer()  # one object: loky keeps workers while it is the same


def check_count(name: str, given: Any, default: int) -> int:
    """Return an argument that is an integer >= 1, or its default for `None`."""
    if given is None:
        return default
    return number(name, given, "[1, 10000]", "a count", integer=True)
