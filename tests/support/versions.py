"""The version of Keras, for tests of what older ones do not have."""

import keras

KERAS = tuple(map(int, keras.__version__.split(".")[:2]))
