"""The data that every finder takes."""

import pytest

import keras_optlab as kol
from tests.finders.models import X, Y, small

FINDERS = kol.find_rate, kol.find_batch_size, kol.tune_execution, kol.diagnose


@pytest.mark.parametrize("find", FINDERS)
def test_targets_and_words_are_refused_by_name(find):
    with pytest.raises(ValueError, match=f"{find.__name__} needs the targets `y`"):
        find(small(), X)
    with pytest.raises(TypeError, match=f"{find.__name__} takes .* x of dtype object"):
        find(small(), X.astype(object), Y)
