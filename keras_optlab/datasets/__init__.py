"""Data sets that come with the package, without a download.

Provenance and licences are in `data/README.md` beside this file.
"""

from keras_optlab.core.renamed import show_public_names
from keras_optlab.datasets.diamond_prices import Diamonds, diamonds
from keras_optlab.datasets.english_verse import paradise_lost
from keras_optlab.datasets.handwritten_digits import mnist

__all__ = ["Diamonds", "diamonds", "mnist", "paradise_lost"]

show_public_names(globals())
