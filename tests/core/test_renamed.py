import importlib
import re

import pytest

import keras_optlab as kol
from keras_optlab.core.renamed import RENAMED

ROOMS = [name for name in kol.__all__ if hasattr(getattr(kol, name), "__all__")]


@pytest.mark.parametrize("room", RENAMED)
def test_names_of_other_libraries_say_what_to_write(room):
    module = getattr(kol, room)
    for name in RENAMED[room]:
        advice = re.escape(f"{name!r}. Use ")
        assert name not in module.__all__
        with pytest.raises(AttributeError, match=advice):
            getattr(module, name)
        with pytest.raises(ImportError, match=advice):
            exec(f"from keras_optlab.{room} import {name}")


def test_what_to_write_exists():
    public = {n for room in ROOMS for n in getattr(kol, room).__all__}
    for advice in (text for names in RENAMED.values() for text in names.values()):
        if not advice.startswith("keras."):
            classes = {*re.findall(r"\b[A-Z]\w+", advice)} - {"True", "Group"}
            assert classes or "every optimizer" in advice or "function" in advice
            assert classes <= public, advice


@pytest.mark.parametrize("room", ROOMS)
def test_a_misspelt_name_is_corrected(room):
    module = getattr(kol, room)
    name = module.__all__[0]
    with pytest.raises(AttributeError, match="Did you mean"):
        getattr(module, f"{name}x")
    with pytest.raises(ImportError):
        exec(f"from keras_optlab.{room} import {name}x")
    assert not hasattr(module, "__nothing__")


@pytest.mark.parametrize("room", ROOMS)
def test_dir_lists_the_public_names_alone(room):
    module = getattr(kol, room)
    assert dir(module) == sorted(module.__all__)


def test_dir_of_the_package():
    assert {"AdamW", "core", "engine", "Any"}.isdisjoint(dir(kol))
    assert {*kol.__all__, "lab", "verify"} == {*dir(kol)}
    assert kol.lab is importlib.import_module("keras_optlab.lab")


def test_the_class_of_a_schedule_is_refused_as_a_rate():
    with pytest.raises(TypeError, match="make an object of it"):
        kol.optimizers.SGD(kol.schedules.Cosine)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"initial_learning_rate": 0.1, "decay_steps": 9}, "initial=0.1"),
        ({"initial": 0.1, "decay_steps": 9}, "steps=9"),
        ({"initial": 0.1, "eta_min": 0.01}, "final=0.01"),
        ({"initial": 0.1, "T_max": 9}, "steps=9"),
    ],
)
def test_arguments_of_other_schedules_are_translated(given, meant):
    with pytest.raises(TypeError, match=f"Write {meant}"):
        kol.schedules.Cosine(**given)
