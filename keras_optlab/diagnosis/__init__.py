"""A diagnosis of a training: rules that read its recorded values, and speak."""

from keras_optlab.diagnosis.diagnose import diagnose
from keras_optlab.diagnosis.findings import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "diagnose"]
