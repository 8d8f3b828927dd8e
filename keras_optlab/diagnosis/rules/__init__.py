"""The rules of a diagnosis."""

from keras_optlab.diagnosis.rules.data import DATA_RULES
from keras_optlab.diagnosis.rules.layers import LAYER_RULES
from keras_optlab.diagnosis.rules.loss import LOSS_RULES
from keras_optlab.diagnosis.rules.rate import RATE_RULES
from keras_optlab.diagnosis.rules.rule import Rule, Verdict
from keras_optlab.diagnosis.rules.steps import STEP_RULES

RULES = (*LOSS_RULES, *RATE_RULES, *LAYER_RULES, *STEP_RULES, *DATA_RULES)

__all__ = ["RULES", "Rule", "Verdict"]
