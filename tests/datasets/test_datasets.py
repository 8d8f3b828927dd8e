import hashlib
import re
from importlib import resources

import numpy as np
import pytest

from keras_optlab.datasets import diamonds, mnist, paradise_lost

DATA = resources.files("keras_optlab.datasets") / "data"


@pytest.fixture(scope="module")
def gems():
    return diamonds()


FILES = ["mnist.npz", "diamonds.csv.gz", "paradise_lost.txt.gz"]


@pytest.mark.parametrize("name", FILES)
def test_files_have_the_checksum_that_the_readme_states(name):
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    stated = re.search(rf"sha256 of `{re.escape(name)}`:\s+([0-9a-f]{{64}})", readme)
    assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == stated[1]


def test_mnist_is_laid_out_as_keras_does():
    (x_train, y_train), (x_test, y_test) = mnist()
    assert x_train.shape == (60000, 28, 28)
    assert y_train.shape == (60000,)
    assert x_test.shape == (10000, 28, 28)
    assert y_test.shape == (10000,)
    for array in (x_train, y_train, x_test, y_test):
        assert array.dtype == "uint8"


def test_mnist_is_the_genuine_one():
    (x_train, y_train), (_, y_test) = mnist()
    assert x_train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert x_train.std() / 255 == pytest.approx(0.3081, abs=5e-5)
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    per_digit = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(y_test).tolist() == per_digit


def test_diamonds_are_split_80_10_10(gems):
    for part, rows in (("train", 43152), ("val", 5394), ("test", 5394)):
        x, y = getattr(gems, f"x_{part}"), getattr(gems, f"y_{part}")
        assert x.shape == (rows, 26)
        assert y.shape == (rows,)
        assert x.dtype == y.dtype == "float32"
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()


@pytest.mark.parametrize(
    ("part", "index", "grades", "price"),
    [
        ("train", 0, ["cut=Ideal", "color=H", "clarity=SI2"], 4733),
        ("test", -1, ["cut=Ideal", "color=F", "clarity=SI2"], 3246),
    ],
)
def test_two_diamonds_as_read_in_the_table(gems, part, index, grades, price):
    features = getattr(gems, f"x_{part}")[index]
    names = np.array(gems.feature_names)
    assert names[6:][features[6:] == 1.0].tolist() == grades
    assert gems.dollars(getattr(gems, f"y_{part}")[index]) == pytest.approx(price)


def test_diamonds_are_standardised_by_the_training_part(gems):
    measured = gems.x_train[:, :6].astype("float64")
    np.testing.assert_allclose(measured.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(measured.std(axis=0), 1.0, atol=1e-3)
    assert gems.y_train.mean() == pytest.approx(0.0, abs=1e-5)
    assert gems.y_train.std() == pytest.approx(1.0, abs=1e-5)
    assert abs(gems.x_test[:, :6].mean(axis=0)).max() > 1e-4


def test_each_grade_is_one_hot(gems):
    for feature in ("cut", "color", "clarity"):
        of_feature = [n.startswith(f"{feature}=") for n in gems.feature_names]
        block = gems.x_test[:, of_feature]
        assert set(np.unique(block)) == {0.0, 1.0}
        assert (block.sum(axis=1) == 1).all()


def test_dollars_undoes_the_target(gems):
    prices = np.concatenate([gems.dollars(y) for y in (gems.y_train, gems.y_val)])
    np.testing.assert_allclose(prices, prices.round(), rtol=2e-6)
    assert prices.round().min() == 326
    np.testing.assert_allclose(
        np.log(gems.dollars(gems.y_test)),
        gems.y_test * gems.log_price_std + gems.log_price_mean,
        rtol=1e-6,
    )


def test_the_split_is_the_same_every_time(gems):
    again = diamonds()
    np.testing.assert_array_equal(again.x_train[::1000], gems.x_train[::1000])
    np.testing.assert_array_equal(again.y_test, gems.y_test)


def test_a_straight_line_already_explains_most_of_the_price(gems):
    x = np.c_[gems.x_train, np.ones(len(gems.x_train))]
    weights = np.linalg.lstsq(x, gems.y_train, rcond=None)[0]
    prediction = np.c_[gems.x_test, np.ones(len(gems.x_test))] @ weights
    r2 = 1 - np.var(prediction - gems.y_test) / np.var(gems.y_test)
    assert r2 == pytest.approx(0.98, abs=0.005)


def test_paradise_lost_is_whole():
    text = paradise_lost()
    assert re.findall(r"^Book (.+)$", text, flags=re.MULTILINE) == [
        *("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
    ]
    assert text.startswith("Book I\n")
    assert text.endswith("Through Eden took their solitary way.")
    assert "Gutenberg" not in text
    assert not re.search(r"\r|[ \t]$", text, flags=re.MULTILINE)
    assert text.isascii()
