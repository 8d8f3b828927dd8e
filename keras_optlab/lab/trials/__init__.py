"""Trials: what to train, training it once, and the record."""

from keras_optlab.lab.trials.candidate import Candidate, parsed
from keras_optlab.lab.trials.run import run_trial
from keras_optlab.lab.trials.setting import Setting
from keras_optlab.lab.trials.trial import Trial

__all__ = ["Candidate", "Setting", "Trial", "parsed", "run_trial"]
