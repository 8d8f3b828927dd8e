import numpy as np
import pytest

from keras_optlab.lab.path_pictures import label_places
from keras_optlab.lab.paths import Path, paths
from keras_optlab.lab.trials import Setting

RATES = ["sgd(learning_rate=0.2, schedule='constant')", "adam(learning_rate=0.2)"]


@pytest.fixture(scope="module")
def found():
    return paths("saddle", RATES, updates=25)


def test_ways_begin_at_the_start_and_the_lowest_end_is_first(found):
    surface = found.problem.surface
    for path in found.found:
        assert path.points.shape == (26, 2)
        np.testing.assert_allclose(path.points[0], surface.start, rtol=1e-6)
        value = surface.function(*path.points[-1]) - surface.function(*surface.minimum)
        assert path.end == pytest.approx(value)
    assert found.found[0].end <= found.found[1].end
    assert found.conclusion.startswith(f"{found.found[0].label} comes closest")


def test_a_way_of_gradient_descent_is_that_of_its_formula(found):
    (sgd,) = [p for p in found.found if p.label.startswith("sgd")]
    point = np.array(found.problem.surface.start)
    for reached in sgd.points[1:]:  # f = x^2 + (y^2 - 1)^2 / 4
        x, y = point
        point = point - 0.2 * np.array([2 * x, y * (y**2 - 1)])
        np.testing.assert_allclose(reached, point, rtol=1e-4, atol=1e-6)


@pytest.mark.every
def test_the_best_rate_is_kept_and_one_that_diverges_is_not():
    calls = []
    found = paths(
        "rosenbrock",
        ["sgd"],
        updates=10,
        rates=4,
        progress=lambda *given: calls.append(given),
    )
    (path,) = found.found
    assert np.isfinite(path.heights).all()
    assert path.end < path.heights[0]
    assert calls[-1] == (4, 4, "sgd")


def test_updates_to_a_height_are_those_from_which_it_stays_below():
    heights = np.array([9.0, 2.0, 5.0, 1.0, 0.5])
    path = Path("a", Setting("sgd"), np.zeros((5, 2)), heights)
    assert path.updates_to(2.0) == 3
    assert path.updates_to(0.1) is None
    assert path.updates_to(10.0) == 0


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("mnist-mlp", ["sgd"]), "'rosenbrock'"),
        (("saddle", []), "optimizers"),
        (("saddle", ["sdg"]), "'sgd'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, hint):
    with pytest.raises(ValueError, match=hint):
        paths(*arguments)


@pytest.mark.parametrize("wrong", [0, 1.5, True])
def test_updates_are_a_number(wrong):
    message = r"`updates` .* must be an integer in"
    with pytest.raises((TypeError, ValueError), match=message):
        paths("saddle", ["sgd"], updates=wrong)


def test_an_optimizer_that_diverges_at_each_rate_is_named():
    wild = "sgd(learning_rate=1e4, schedule='constant')"
    with pytest.raises(ValueError, match="diverges"):
        paths("rosenbrock", [wild], updates=10)


def test_labels_are_apart(found):
    first, second = label_places(found)
    assert np.linalg.norm(first - second) > 0.1


def test_the_picture_has_ways_labels_and_a_conclusion(found):
    axes = found.plot()
    texts = [text.get_text() for text in axes.texts]
    for path in found.found:
        assert path.label in texts
    assert {"start", "minimum"} <= set(texts)
    assert axes.get_title(loc="left").replace("\n", " ") == found.conclusion


@pytest.mark.every
def test_the_animation_is_a_gif(found, tmp_path):
    from PIL import Image

    file = found.animate(tmp_path / "way.gif")
    with Image.open(file) as image:
        assert image.format == "GIF"
        assert image.n_frames > 20
