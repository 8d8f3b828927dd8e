"""Where callbacks say what they did."""

import keras
from absl import logging


def say(message: str) -> None:
    """Print a line, or log it where Keras' callbacks do.

    `keras.config.disable_interactive_logging()` is what chooses the log.
    """
    if keras.config.is_interactive_logging_enabled():
        print(message)
    else:
        logging.info(message)
