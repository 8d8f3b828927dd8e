"""Studies: folders that hold what is compared, and the records."""

from keras_optlab.lab.studies.records import Records
from keras_optlab.lab.studies.study import Study

__all__ = ["Records", "Study"]
