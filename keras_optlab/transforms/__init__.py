"""Changes to gradients before a rule, and to updates after it; one idea a file."""

from keras_optlab.transforms.base import TensorTransform, Transform
from keras_optlab.transforms.cautious import Cautious
from keras_optlab.transforms.centralize import Centralize
from keras_optlab.transforms.clip import ClipByGlobalNorm, ClipByNorm, ClipByValue

__all__ = [
    "Cautious",
    "Centralize",
    "ClipByGlobalNorm",
    "ClipByNorm",
    "ClipByValue",
    "TensorTransform",
    "Transform",
]
