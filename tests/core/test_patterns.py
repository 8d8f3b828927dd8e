"""Regular expressions in arguments, which a file of a model may bring along."""

import re
import time

import keras
import pytest

from keras_optlab import optimizers
from keras_optlab.core.patterns import has_nested_quantifier

NESTED = ["(a+)+", "(a*)*", "((a|b+)x)*", "(?:a{2,})+", "(a+){9}", "(x(a?b+))+"]
HARMLESS = ["a+", "(ab)+", r"(a\+)+", "([a+*])+", "(a+)?", r"block_\d+/", "[]+]+(a)*"]


@pytest.mark.parametrize("pattern", NESTED)
def test_nested_quantifiers_are_found(pattern):
    assert has_nested_quantifier(pattern)


@pytest.mark.parametrize("pattern", HARMLESS)
def test_others_are_not(pattern):
    re.compile(pattern)
    assert not has_nested_quantifier(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+$", "a" * 201, "("])
def test_a_file_brings_no_pattern_that_takes_for_ever(pattern):
    config = keras.optimizers.serialize(optimizers.Muon(exclude_layers=["a"]))
    config["config"]["exclude_layers"] = [pattern]
    begin = time.monotonic()
    with pytest.raises(ValueError, match="exclude_layers=.*Received|Received: exclude"):
        keras.optimizers.deserialize(config)
    assert time.monotonic() - begin < 5
    with pytest.raises(ValueError, match="Received: var_names="):
        optimizers.SGD().exclude_from_weight_decay(var_names=[pattern])
