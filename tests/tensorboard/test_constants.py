"""Scalars that are held back while nothing happens to them."""

import math

import keras
import pytest

from keras_optlab.callbacks import TensorBoard
from keras_optlab.optimizers import SGD
from keras_optlab.schedules import Piecewise
from keras_optlab.tensorboard import Constants
from tests.support.logs import fit, line, read

RATE, CLIPPED = "optimizer/learning_rate", "optimizer/clipped_fraction"
NORM, AFTER = "optimizer/gradient_norm", "optimizer/gradient_norm_clipped"


def drawn(*points):
    """Return the points of one tag after each point is added in turn."""
    constants, result = Constants(), {}
    for point in points:
        result |= constants.drawn(point)
    return result


def test_a_rate_begins_when_it_changes_with_the_points_before():
    points = [{1: {RATE: 0.1}}, {5: {RATE: 0.1}}, {9: {RATE: 0.1}}, {13: {RATE: 0.2}}]
    assert drawn(*points[:3]) == {}
    assert drawn(*points) == {1: {RATE: 0.1}, 9: {RATE: 0.1}, 13: {RATE: 0.2}}
    later = {17: {RATE: 0.2}}  # constant again
    assert drawn(*points, later)[17] == {RATE: 0.2}


def test_a_share_is_drawn_once_it_is_not_0():
    points = [{1: {CLIPPED: 0.0}}, {2: {CLIPPED: 0.0}}, {3: {CLIPPED: 0.5}}]
    assert drawn(*points) == {1: {CLIPPED: 0}, 2: {CLIPPED: 0}, 3: {CLIPPED: 0.5}}
    assert drawn({1: {CLIPPED: 1.0}}, {2: {CLIPPED: 1.0}}).keys() == {1, 2}


def test_the_norm_after_clipping_is_drawn_where_it_is_another():
    same = [{step: {NORM: float(step), AFTER: float(step)}} for step in (1, 2, 3)]
    assert all(AFTER not in tags for tags in drawn(*same).values())
    after = drawn(*same, {4: {NORM: 4.0, AFTER: 1.0}}, {5: {NORM: 5.0, AFTER: 5.0}})
    shown = {step: tags[AFTER] for step, tags in after.items() if AFTER in tags}
    assert shown == {4: 1.0, 5: 5.0} | {3: 3.0}
    nan = {1: {NORM: math.nan, AFTER: math.nan}}
    assert list(drawn(nan)[1]) == [NORM]


@pytest.mark.parametrize("tag", ["step/loss", "weight_norm/a", NORM, "epoch/loss"])
def test_other_scalars_are_drawn_at_once(tag):
    assert drawn({1: {tag: 0.0}}) == {1: {tag: 0.0}}


def test_in_a_training(tmp_path):
    rate = Piecewise([5], [0.1, 0.05])
    fit(line(SGD(rate)), [TensorBoard(tmp_path, every=2)])
    train = read(tmp_path / "train")
    shown = {1: 0.1, 4: 0.1, 6: 0.05, 8: 0.05}
    assert train[RATE] == pytest.approx(shown)
    quiet = {CLIPPED, AFTER, "optimizer/skipped_fraction", "optimizer/skipped_steps"}
    assert not quiet & train.keys()


def test_a_constant_rate_is_not_drawn_also_of_a_stock_optimizer(tmp_path):
    fit(line(keras.optimizers.Adam(0.01)), [TensorBoard(tmp_path, every=2)])
    shown = {tag for tag in read(tmp_path / "train") if tag[:11] != "throughput/"}
    assert shown == {"epoch/loss", "step/loss"}
