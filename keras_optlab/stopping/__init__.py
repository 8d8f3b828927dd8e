"""Criteria for stopping a training, for `callbacks.EarlyStopping(criteria=[...])`."""

from keras_optlab.core.renamed import show_public_names
from keras_optlab.stopping.base import Criterion, MeasuredCriterion
from keras_optlab.stopping.evidence import Evidence
from keras_optlab.stopping.generalization_loss import GeneralizationLoss
from keras_optlab.stopping.patience import Patience
from keras_optlab.stopping.plateau import Plateau
from keras_optlab.stopping.progress_quotient import ProgressQuotient
from keras_optlab.stopping.rising import Rising

__all__ = [
    "Criterion",
    "Evidence",
    "GeneralizationLoss",
    "MeasuredCriterion",
    "Patience",
    "Plateau",
    "ProgressQuotient",
    "Rising",
]

show_public_names(globals())
