import pytest

from keras_optlab.cli import options


def test_commas_in_brackets_do_not_separate():
    given = "sgd,adam(learning_rate=1e-3, beta_1=0.8), ema(adamw, average_decay=0.9)"
    assert options.separated(given) == [
        "sgd",
        "adam(learning_rate=1e-3, beta_1=0.8)",
        "ema(adamw, average_decay=0.9)",
    ]


@pytest.mark.parametrize("wrong", ["learning_rate", "=3", "a b=3"])
def test_an_assignment_needs_a_name_and_a_value(wrong):
    with pytest.raises(ValueError, match=f"Received: --set {wrong}"):
        options.assignments([wrong])


def test_a_name_is_assigned_once():
    with pytest.raises(ValueError, match="different names"):
        options.assignments(["beta-1=0.9", "beta_1=0.8"])
