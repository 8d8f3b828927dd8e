"""The engine: the only room that knows Keras' optimizer internals or a backend."""

from keras_optlab.engine.adjustable import make_adjustable
from keras_optlab.engine.histograms import Histogram, Histograms
from keras_optlab.engine.host import around_fit_of, join, training
from keras_optlab.engine.lookup import engine_of, find_engine
from keras_optlab.engine.matching import strict_loading
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.engine.options import CLIPPINGS
from keras_optlab.engine.outer import keep_whole
from keras_optlab.engine.recorder import CAPACITY
from keras_optlab.engine.seam import around_fit, around_train_on_batch, on_compile
from keras_optlab.engine.statistics import LayerStatistics, Statistics

__all__ = [
    "CAPACITY",
    "CLIPPINGS",
    "Histogram",
    "Histograms",
    "LayerStatistics",
    "Optimizer",
    "Statistics",
    "around_fit",
    "engine_of",
    "find_engine",
    "make_adjustable",
    "strict_loading",
]

# Not when an optimizer is made that needs it: in `model.compile(SAM(...))` Python looks
# the method up before it makes the optimizer.
on_compile(join)
around_fit(around_fit_of)
around_train_on_batch(training)
keep_whole()
