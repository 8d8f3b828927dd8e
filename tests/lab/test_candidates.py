import re

import keras
import pytest

from keras_optlab import optimizers
from keras_optlab.core.tuning import Choices, LogUniform
from keras_optlab.lab.trials import Candidate, Setting


@pytest.mark.parametrize(
    ("text", "optimizer", "fixed"),
    [
        ("adamw", "adamw", {}),
        ("AdamW", "adamw", {}),
        ("adam(learning_rate=1e-3, beta_1=0.8)", "adam", {"beta_1": 0.8}),
        ("ema(adamw, average_decay=0.9)", "ema(adamw)", {"average_decay": 0.9}),
        ("ema(sam(adamw(beta_2=0.9), sam_rho=0.1))", "ema(sam(adamw))", {}),
        ("keras.adam", "keras.adam", {}),
    ],
)
def test_what_is_written(text, optimizer, fixed):
    candidate = Candidate.parse(text)
    assert candidate.optimizer == optimizer
    assert fixed.items() <= candidate.fixed.items()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("adamv", "No optimizer has this name.*Did you mean"),
        ("keras.adamv", "Keras has no optimizer.*Did you mean"),
        ("adam(lr=1)", "does not take this.*'lr'"),
        ("adam(beta1=0.8)", "Received: 'beta1'. Did you mean 'beta_1'"),
        ("adam(shedule='cosine')", "Did you mean 'schedule'"),
        ("adam(", "expected an optimizer like"),
        ("ema()", r"around another.*ema\(adamw\)"),
        ("adamw(adam)", "no wrapper"),
    ],
)
def test_what_cannot_be_read(text, says):
    with pytest.raises((ValueError, TypeError), match=says):
        Candidate.parse(text)


def test_the_declared_space_is_searched_but_for_what_is_fixed():
    tuning = optimizers.info("adamw").tuning
    domains = Candidate.parse("adamw").domains()
    assert domains["learning_rate"] == tuning.learning_rate
    assert "beta_2" not in Candidate("adamw", {"beta_2": 0.9}).domains()
    own = Candidate("adamw", space={"beta_1": Choices((0.8, 0.9))})
    assert own.domains()["beta_1"] == Choices((0.8, 0.9))


def test_a_candidate_with_a_rate_is_taken_as_it_is_written():
    candidate = Candidate.parse("adamw(learning_rate=0.01)")
    assert candidate.domains(with_length=True, fine=True) == {}
    assert candidate.schedule == "constant"
    timed = Candidate.parse("adamw(learning_rate=0.01, schedule='cosine')")
    assert timed.setting({}).schedule == "cosine"


def test_the_length_is_searched_where_a_schedule_has_one():
    with_schedule = Candidate("adam")
    without = Candidate.parse("adam(schedule='constant')")
    assert isinstance(with_schedule.domains(with_length=True)["length"], LogUniform)
    assert "length" not in with_schedule.domains()
    assert "length" not in without.domains(with_length=True)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("text", ["sgd", "ema(adam)", "keras.adam", "prodigy"])
def test_every_point_of_the_space_is_an_optimizer(text, share):
    candidate = Candidate.parse(text)
    domains = candidate.domains(with_length=True, fine=True)
    setting = candidate.at(dict.fromkeys(domains, share), domains)
    assert isinstance(setting.build(100), keras.optimizers.Optimizer)


@pytest.mark.parametrize(
    "setting",
    [
        Setting("adamw", {"learning_rate": 0.01}),
        Setting("adamw", {"learning_rate": 0.01, "beta_1": 0.8}, "one_cycle"),
        Setting("adamw", {"learning_rate": 0.01}, "one_cycle", warmup=0.1),
        Setting("ema(sgd)", {"learning_rate": 0.1, "average_decay": 0.9}, "cosine"),
        Setting("keras.adam", {"learning_rate": 0.1}, "one_cycle"),
    ],
)
def test_the_code_makes_the_same_optimizer(setting):
    import keras_optlab as kol

    made = eval(setting.code(50), {"kol": kol, "keras": keras})
    expected = setting.build(50)
    made_text, expected_text = (
        re.sub(r"'name': '\w+'", "", repr(o.get_config())) for o in (made, expected)
    )
    assert made_text == expected_text
    assert type(made) is type(expected)


def test_a_setting_survives_json():
    import json

    setting = Setting("adamw", {"learning_rate": 0.01}, "one_cycle", 0.5, 0.2)
    assert Setting(**json.loads(json.dumps(setting.as_dict()))) == setting
