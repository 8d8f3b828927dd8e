"""Search spaces: their values, and what they refuse."""

import math

import pytest

from keras_optlab.core import Choices, LogUniform, Tuning, Uniform, around


@pytest.mark.parametrize(
    ("domain", "values"),
    [
        (LogUniform(1e-4, 1e-2), [1e-4, 1e-3, 1e-2]),
        (LogUniform(10, 300, integer=True), [10, 55, 300]),
        (Uniform(-1.0, 3.0), [-1.0, 1.0, 3.0]),
        (Choices(("a", None, True)), ["a", None, True]),
        (around(0.03), [0.003, 0.03, 0.3]),
    ],
)
def test_a_domain_goes_from_its_first_value_to_its_last(domain, values):
    found = [domain.at(share) for share in (0, 0.5, 1)]
    assert found == values
    assert [type(x) for x in found] == [type(x) for x in values]


def test_all_choices_are_tried_as_often():
    shares = [(i + 0.5) / 30 for i in range(30)]
    found = [Choices((1, 2, 3)).at(share) for share in shares]
    assert [found.count(x) for x in (1, 2, 3)] == [10, 10, 10]


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (LogUniform, (0.0, 1.0)),
        (LogUniform, (1.0, 1.0)),
        (LogUniform, (1.0, math.inf)),
        (LogUniform, (math.nan, 1.0)),
        (Uniform, (1.0, 0.0)),
        (Uniform, (-math.inf, 0.0)),
        (Choices, ((),)),
        (Choices, ([1, 2],)),
    ],
)
def test_an_empty_domain_is_refused(kind, arguments):
    with pytest.raises(ValueError, match="Received: (low|high|values)="):
        kind(*arguments)


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="one_cycle.* Received: schedule='onecycle'"):
        Tuning(around(1e-3), schedule="onecycle")
