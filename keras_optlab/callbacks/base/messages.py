"""Console output of the callbacks."""

import keras
from absl import logging


def print_message(message: str) -> None:
    """Print a message; log it after `keras.config.disable_interactive_logging()`.

    Keras' own callbacks choose between print and log in the same way.
    """
    if keras.config.is_interactive_logging_enabled():
        print(message)
    else:
        logging.info(message)
