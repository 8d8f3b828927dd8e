"""How every optimizer and wrapper says that it is tuned, and when it is used."""

import pytest

from keras_optlab import optimizers
from keras_optlab.core import Choices, around
from tests.support.problems import Toy

NAMES = [
    name
    for name in [*optimizers.names(), *optimizers.wrappers()]
    if optimizers.info(name).cls.__module__.startswith("keras_optlab.optimizers.")
]
RULES = [name for name in NAMES if name in optimizers.names()]
WRAPPERS = [name for name in NAMES if name in optimizers.wrappers()]

# Rules whose default rate, as in Keras or a paper, is below all that are searched.
TOO_SLOW = {"adadelta", "adafactor", "adagrad", "ftrl", "galore"} | {
    *("proximaladagrad", "proximalsgd"),
}

# Rules that need no decay of the rate: they average weights, or find their rate.
CONSTANT = {"schedulefreeadamw", "schedulefreesgd", "schedulefree", "swa"} | {
    "schedulefreeplus",
    *("cocob", "dog", "dowg", "ldog", "hypergradientadam", "hypergradientsgd"),
    *("rprop", "ftrl", "ema", "lawa", "powerema"),
}


def build(name, **arguments):
    """Create an optimizer, or a wrapper around SGD."""
    if name in WRAPPERS:
        return optimizers.create(name, optimizer=optimizers.SGD(), **arguments)
    return optimizers.create(name, **arguments)


def test_every_class_declares_its_own():
    classes = {name: optimizers.info(name).cls for name in NAMES}
    assert len(classes) >= 70
    assert [name for name, cls in classes.items() if "tuning" not in vars(cls)] == []
    shown = [n for n, c in classes.items() if optimizers.info(n).tuning is not c.tuning]
    assert shown == []


def test_sentences_are_short_and_say_something_of_their_own():
    tunings = [optimizers.info(name).tuning for name in NAMES]
    said = [text for x in tunings for text in (x.use_when, x.not_when)]
    assert [text for text in said if not 20 < len(text) <= 100] == []
    assert [text for text in said if text[-1] != "." or not text[0].isupper()] == []
    assert len(set(said)) == len(said)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("share", [0.5, 0, 1])
def test_every_value_builds_the_optimizer(share):
    for name in NAMES:
        tuning = optimizers.info(name).tuning
        values = {key: domain.at(share) for key, domain in tuning.others.items()}
        if tuning.learning_rate:
            values["learning_rate"] = tuning.learning_rate.at(share)
        made = build(name, **values)
        config = made.get_config()
        for key, value in values.items():
            assert config[key] == pytest.approx(value), (name, key)


def test_every_choice_is_legal():
    for name in NAMES:
        info = optimizers.info(name)
        assert "learning_rate" not in info.tuning.others
        for key, domain in info.tuning.others.items():
            field = info.cls.fields[key]
            for value in domain.values if isinstance(domain, Choices) else ():
                assert field.validate(value) == value, (name, key)


def test_a_wrapper_leaves_the_rate_to_the_inner_optimizer():
    assert [n for n in RULES if optimizers.info(n).tuning.learning_rate is None] == []
    assert [n for n in WRAPPERS if optimizers.info(n).tuning.learning_rate] == []


def test_which_default_rates_are_not_among_those_to_search():
    outside = {}
    for name in RULES:
        info = optimizers.info(name)
        rate = info.hyperparameters["learning_rate"].default
        rates = info.tuning.learning_rate
        if not rates.low <= rate <= rates.high:
            outside[name] = rate < rates.low
    assert outside == dict.fromkeys(TOO_SLOW, True)


def test_a_rule_without_learning_rate_starts_at_1():
    for name in RULES:
        tuning = optimizers.info(name).tuning
        free = optimizers.info(name).learning_rate_free
        wide = tuning.learning_rate.high / tuning.learning_rate.low > 50
        assert free != wide, name
        if free:
            assert tuning.learning_rate.at(0.5) == 1.0, name


def test_which_rules_want_a_constant_rate():
    found = {n for n in NAMES if optimizers.info(n).tuning.schedule == "constant"}
    assert found == CONSTANT


def test_a_class_without_declaration_is_searched_around_its_default():
    tuning = optimizers.info(Toy.registry_name).tuning
    assert "tuning" not in vars(Toy)
    assert tuning.learning_rate == around(0.01, factor=30)
    assert tuning.use_when == ""
