"""Transforms of gradients before a rule, and of updates after it; one per file."""

from keras_optlab.core.renamed import show_public_names
from keras_optlab.transforms.adaptive_clip import AdaptiveClip
from keras_optlab.transforms.auto_clip import AutoClip
from keras_optlab.transforms.base import TensorTransform, Transform
from keras_optlab.transforms.cautious import Cautious
from keras_optlab.transforms.cautious_weight_decay import CautiousWeightDecay
from keras_optlab.transforms.centralize import Centralize
from keras_optlab.transforms.clip import ClipByGlobalNorm, ClipByNorm, ClipByValue
from keras_optlab.transforms.clip_update import ClipUpdate
from keras_optlab.transforms.noise import AddNoise
from keras_optlab.transforms.normalize import NormalizeGradient
from keras_optlab.transforms.orthogonalize import Orthogonalize
from keras_optlab.transforms.sign import Sign
from keras_optlab.transforms.trust_ratio import TrustRatio
from keras_optlab.transforms.z_clip import ZClip
from keras_optlab.transforms.zero_non_finite import ZeroNonFinite

__all__ = [
    "AdaptiveClip",
    "AddNoise",
    "AutoClip",
    "Cautious",
    "CautiousWeightDecay",
    "Centralize",
    "ClipByGlobalNorm",
    "ClipByNorm",
    "ClipByValue",
    "ClipUpdate",
    "NormalizeGradient",
    "Orthogonalize",
    "Sign",
    "TensorTransform",
    "Transform",
    "TrustRatio",
    "ZClip",
    "ZeroNonFinite",
]

show_public_names(globals())
