"""The engine: the only room that knows Keras' optimizer internals or a backend."""

from keras_optlab.engine.lookup import engine_of, find_engine
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.engine.statistics import LayerStatistics, Statistics

__all__ = ["LayerStatistics", "Optimizer", "Statistics", "engine_of", "find_engine"]
