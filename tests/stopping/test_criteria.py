"""Every criterion on recorded curves: by hand, and as the paper has it, in NumPy."""

import copy
import json
import math
import pickle

import keras
import numpy as np
import pytest

from keras_optlab import stopping
from keras_optlab.core import Hyper
from keras_optlab.stopping import (
    Criterion,
    GeneralizationLoss,
    Patience,
    Plateau,
    ProgressQuotient,
    Rising,
)


def stop(criterion, values, train=None, mode="min", positions=None):
    """Return the number of the value, from 1, at which it stops, and all figures."""
    criterion.start(mode, "val_loss")
    figures, at = [], None
    for i, value in enumerate(values):
        why = criterion.update(
            value,
            None if train is None else train[i],
            None if positions is None else positions[i],
        )
        figures.append(criterion.figure)
        if why and at is None:
            at = i + 1
    return at, figures


# By hand.


def test_generalization_loss_by_hand():
    # best:      32  16  16     16    16     16
    # above it:   0   0  0.5    1     1.5    0
    # percent:    0   0  3.125  6.25  9.375  0
    curve = [32.0, 16.0, 16.5, 17.0, 17.5, 16.0]
    percents = [0, 0, 3.125, 6.25, 9.375, 0]
    assert stop(GeneralizationLoss(3), curve) == (3, percents)
    assert stop(GeneralizationLoss(6.25), curve) == (5, percents)  # not at 6.25 itself
    assert stop(GeneralizationLoss(10), curve) == (None, percents)


def test_progress_quotient_by_hand():
    # strips of 2  | 1            | 2             | 3
    # training     | 2.0     1.0  | 0.75    0.625 | 0.5     0.5
    # P            | 1000 (3/2 - 1)| 1000 (1.375 / 1.25 - 1)| 1000 (1/1 - 1)
    #              |         500  |         100   |         0
    # validation   | 4.0     2.0  | 2.5     2.25  | 2.0     2.5
    # GL           |         0    |         12.5  |         25
    # PQ           |         0    |         0.125 |         infinite
    train = [2.0, 1.0, 0.75, 0.625, 0.5, 0.5]
    values = [4.0, 2.0, 2.5, 2.25, 2.0, 2.5]
    figures = [None, 0, 0, 0.125, 0.125, math.inf]
    at, seen = stop(ProgressQuotient(0.125, strip=2), values, train)
    assert at == 6
    assert seen[0] is None
    assert seen[1:] == pytest.approx(figures[1:])
    assert stop(ProgressQuotient(0.1, strip=2), values, train)[0] == 4
    # a single strip of 3 at a time: P = 1000 (3.75 / (3 * 0.75) - 1) = 666.7, GL = 25
    assert stop(ProgressQuotient(0.03, strip=3), values, train)[1][2] == pytest.approx(
        25 / (1000 * (3.75 / 2.25 - 1))
    )


def test_rising_by_hand():
    # ends of strips of 2:   3    2    2.5  2.25  2.5  3
    # rises in a row:        0    0    1    0     1    2
    curve = [9, 3, 9, 2, 9, 2.5, 9, 2.25, 9, 2.5, 9, 3]
    figures = [None, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 2]
    assert stop(Rising(2, strip=2), curve) == (12, figures)
    assert stop(Rising(1, strip=2), curve) == (6, figures)
    assert stop(Rising(3, strip=2), curve) == (None, figures)
    falling = [-x for x in curve]
    assert stop(Rising(2, strip=2), falling, mode="max") == (12, figures)


def test_patience_by_hand():
    # value     3  2  2.5  2    1.5  1.75  1.75
    # waited    0  0  1    2    0    1     2
    curve = [3, 2, 2.5, 2, 1.5, 1.75, 1.75]
    assert stop(Patience(2), curve) == (4, [0, 0, 1, 2, 0, 1, 2])
    assert stop(Patience(3), curve) == (None, [0, 0, 1, 2, 0, 1, 2])
    # with min_delta 1, 1.5 is no improvement on 3 - 1 = 2, nor 2 on 3
    assert stop(Patience(3, min_delta=1), curve)[1] == [0, 1, 2, 3, 0, 1, 2]
    assert stop(Patience(2), [-x for x in curve], mode="max")[0] == 4
    seconds = Patience(10.5, unit="seconds")
    assert seconds.counts_in == "seconds"
    at, waited = stop(seconds, [3, 4, 4], positions=[5, 10, 15.5])
    assert (at, waited) == (3, [0, 5, 10.5])


def test_plateau_by_hand():
    # On 1 + 4 / t, until twice as long is won 4/t - 4/(2t) = 2/t, and so far 4 - 4/t:
    # a share of 1 / (2 (t - 1)), below 0.04 from t = 14 on. By accuracy, the same.
    curve = [1 + 4 / t for t in range(1, 20)]
    for mode, sign in ("min", 1), ("max", -1):
        criterion = Plateau(tolerance=0.04)
        at, shares = stop(criterion, [sign * x for x in curve], mode=mode)
        assert at == 14
        assert shares[:9] == [None] * 9
        by_hand = [1 / (2 * (t - 1)) for t in range(10, 20)]
        assert shares[9:] == pytest.approx(by_hand, rel=1e-3)
    assert criterion.law.c == pytest.approx(1, rel=1e-5)
    # On 2 + 3 / sqrt(t) every 5 steps from 5 on, three times as long: with u = t / 5,
    # (1 - 1 / sqrt(3)) / (sqrt(u) - 1) < 0.2 means u > (1 + 2.1132)^2 = 9.69
    steps = np.arange(5, 100, 5)
    criterion = Plateau(0.2, horizon=3, least=5)
    assert stop(criterion, 2 + 3 * steps**-0.5, positions=steps)[0] == 10


# As Prechelt's paper has it, over a whole curve.


def curves(seed):
    """Return a validation error that falls and rises, and a training error."""
    rng = np.random.default_rng(seed)
    t = np.arange(1, 121)
    validation = 0.3 + np.exp(-t / 10) + (t / 300) ** 2 + rng.normal(0, 0.01, len(t))
    training = 0.05 + np.exp(-t / 12) * (1 + rng.normal(0, 0.02, len(t)))
    return validation, training


def first(stops):
    """Return the first epoch, from 1, at which a boolean curve is true."""
    found = np.flatnonzero(stops)
    return int(found[0]) + 1 if len(found) else None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 2, 5])
def test_prechelts_criteria_in_numpy(seed, k):
    validation, training = curves(seed)
    t = np.arange(1, len(validation) + 1)
    best = np.minimum.accumulate(validation)
    loss = 100 * (validation / best - 1)
    for alpha in 1, 2, 3, 5:
        at, figures = stop(GeneralizationLoss(alpha), validation)
        assert at == first(loss > alpha)
        np.testing.assert_allclose(figures, loss, atol=1e-9)
    ends = t[k - 1 :: k]
    for s in 2, 3, 4:
        rises = np.array(
            [n > k and validation[n - 1] > validation[n - 1 - k] for n in ends]
        )
        holds = [rises[max(0, i - s + 1) : i + 1].sum() == s for i in range(len(ends))]
        index = first(holds)
        expected = None if index is None else int(ends[index - 1])
        assert stop(Rising(s, strip=k), validation)[0] == expected
    if k > 1:
        progress = np.array(
            [
                1000 * (training[n - k : n].sum() / (k * training[n - k : n].min()) - 1)
                for n in ends
            ]
        )
        quotient = loss[ends - 1] / progress
        for alpha in 0.5, 1, 3:
            index = first(quotient > alpha)
            expected = None if index is None else int(ends[index - 1])
            at, figures = stop(ProgressQuotient(alpha, strip=k), validation, training)
            assert at == expected
            np.testing.assert_allclose(
                np.array(figures, "float64")[ends - 1], quotient, atol=1e-9
            )


# Zero, negative and other values.


def test_an_error_of_zero():
    assert stop(GeneralizationLoss(5), [1.0, 0.0, 0.0, 1e-9]) == (
        4,
        [0, 0, 0, math.inf],
    )
    quotient = ProgressQuotient(0.5, strip=2)
    # the training error is 0 in a strip: P is infinite, unless all of it is 0
    assert stop(quotient, [1.0, 2.0], [1.0, 0.0])[1] == [None, 0]
    assert stop(quotient, [1.0, 2.0], [0.0, 0.0]) == (2, [None, math.inf])
    assert stop(quotient, [2.0, 2.0], [0.0, 0.0]) == (None, [None, 0])


@pytest.mark.parametrize("criterion", [GeneralizationLoss(5), ProgressQuotient(0.5, 2)])
def test_a_negative_error_is_warned_about_once_and_never_judged(criterion):
    values = [1.0, -1.0, -2.0, 3.0, 9.0, 9.0]
    with pytest.warns(
        UserWarning, match="Received: val_loss=-1. It does not"
    ) as warned:
        at, figures = stop(criterion, values, train=[1.0] * 6)
    assert at is None
    assert figures[1:] == [None] * 5
    assert len(warned) == 1
    criterion.start()
    assert criterion.update(1.0, 1.0) is None


def test_values_that_are_not_finite():
    values = [2.0, math.nan, 1.0, math.inf, math.nan, 1.5]
    assert stop(GeneralizationLoss(40), values)[0] == 6
    assert stop(Rising(1, strip=1), [1, math.nan, 2, 3])[0] == 4
    assert stop(Patience(2), values)[0] == 5
    train = [1.0, math.nan, 1.0, 1.0, 1.0, 1.0]
    assert stop(ProgressQuotient(1, 2), [1, 2, 1, 2, 1, 2], train)[0] == 4


def test_accuracies_are_refused_by_ratios_of_errors():
    for criterion in GeneralizationLoss(), ProgressQuotient(1):
        with pytest.raises(ValueError, match="mode='min'.*monitor='acc', mode='max'"):
            criterion.start("max", "acc")


def test_the_quotient_without_a_training_error():
    with pytest.raises(ValueError, match="Received: the value=2 without it"):
        ProgressQuotient(1).update(2.0)


# What all criteria have in common.

ALL = [
    GeneralizationLoss(2),
    Patience(4, min_delta=0.01),
    Plateau(0.3),
    ProgressQuotient(0.7, strip=3),
    Rising(2, strip=2),
]


def test_every_criterion_is_here():
    others = {"Criterion", "MeasuredCriterion", "Evidence"}
    assert {type(c).__name__ for c in ALL} == set(stopping.__all__) - others


@pytest.mark.parametrize("criterion", ALL, ids=lambda c: type(c).__name__)
def test_saved_in_the_middle_it_goes_on_as_if_it_had_not_been(criterion):
    validation, training = curves(0)
    whole = stop(criterion, validation, training)
    assert whole[0] is not None
    criterion.start("min", "val_loss")
    half = len(validation) // 2
    for pair in zip(validation[:half], training[:half], strict=True):
        criterion.update(*pair)
    state = json.loads(json.dumps(criterion.get_state()))
    kept = copy.deepcopy(state)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(criterion)))
    assert config["registered_name"].startswith("keras_optlab.stopping>")
    again = keras.saving.deserialize_keras_object(config)
    assert repr(again) == repr(criterion)
    again.start("min", "val_loss")
    again.set_state(state)
    copied = pickle.loads(pickle.dumps(criterion))
    rest = list(zip(validation[half:], training[half:], strict=True))
    for one in again, copied:
        figures = [(one.update(*pair), one.figure)[1] for pair in rest]
        assert figures == whole[1][half:]
    assert state == kept


def test_the_state_of_another_criterion_is_refused():
    with pytest.raises(ValueError, match="Rising.get_state.*Received: .*'_wait'"):
        Rising(2).set_state(Patience().get_state())


@pytest.mark.parametrize("criterion", ALL, ids=lambda c: type(c).__name__)
def test_starting_again_forgets_everything(criterion):
    validation, training = curves(1)
    assert stop(criterion, validation, training) == stop(
        criterion, validation, training
    )


@pytest.mark.parametrize(
    ("make", "error", "received"),
    [
        (lambda: GeneralizationLoss(0), ValueError, "alpha=0"),
        (lambda: GeneralizationLoss("5"), TypeError, "alpha='5'"),
        (lambda: ProgressQuotient(-1), ValueError, "alpha=-1"),
        (lambda: ProgressQuotient(1, strip=1), ValueError, "strip=1"),
        (lambda: ProgressQuotient(1, strip=2.5), TypeError, "strip=2.5"),
        (lambda: Rising(0), ValueError, "strips=0"),
        (lambda: Rising(2, strip=0), ValueError, "strip=0"),
        (lambda: Patience(-1), ValueError, "patience=-1"),
        (lambda: Patience(2.5), TypeError, "patience=2.5"),
        (lambda: Patience(math.nan), ValueError, "patience=nan"),
        (lambda: Patience(unit="epochs"), ValueError, "unit='epochs'"),
        (lambda: Patience(min_delta=-1), ValueError, "min_delta=-1"),
        (lambda: Plateau(0), ValueError, "tolerance=0"),
        (lambda: Plateau(1), ValueError, "tolerance=1"),
        (lambda: Plateau(horizon=1), ValueError, "horizon=1"),
        (lambda: Plateau(least=4), ValueError, "least=4"),
    ],
)
def test_bad_arguments_are_refused(make, error, received):
    with pytest.raises(error, match=f"must .*Received: {received}"):
        make()


def test_arguments_that_are_missing():
    for cls, name in (ProgressQuotient, "alpha"), (Rising, "strips"):
        with pytest.raises(TypeError, match=f"missing a required argument: '{name}'"):
            cls()


def test_a_criterion_of_ones_own():
    class Below(Criterion):
        low: float = Hyper(default=0.5, doc="value to stop at", adjustable=False)

        def decide(self, value, train_value, position):
            self.figure = value
            if value < self.low:
                return f"{self.metric} is below {self.low:g}"
            return None

    assert stop(Below(2), [3, 2, 1]) == (3, [3, 2, 1])
    assert Below.from_config(Below(2).get_config()).low == 2
