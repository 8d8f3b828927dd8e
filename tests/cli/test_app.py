import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from keras_optlab import cli
from keras_optlab.cli import app as module

GROUP = typer.main.get_command(module.app)
COMMANDS = {k: v for panel in module.PANELS.values() for k, v in panel.items()}
EXAMPLES = [
    line
    for function in COMMANDS.values()
    for line in re.findall(r"^ +(optlab .*)$", function.__doc__, flags=re.MULTILINE)
]
ROOT = Path(__file__).parents[2]
STARTS = "import keras_optlab_command as command; command.postpone()\n"


def options_of(name):
    return [p for p in GROUP.commands[name].params if p.name != "help"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_has_help_with_an_example(name):
    for parameter in options_of(name):
        example = parameter.help.rpartition("E.g. ")[2]
        assert example, parameter.name
        if parameter.param_type_name == "option":
            names = [*parameter.opts, *parameter.secondary_opts]
            assert any(name in example for name in names), names


def test_each_command_has_examples():
    of_commands = {shlex.split(line)[1] for line in EXAMPLES}
    assert of_commands == set(COMMANDS)


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_can_be_read(line):
    _, name, *arguments = shlex.split(line)
    backend = arguments.index("--backend") if "--backend" in arguments else None
    if backend is not None and name != "verify":  # it would start Keras anew
        del arguments[backend : backend + 2]
    context = GROUP.commands[name].make_context(name, arguments)
    assert context.params


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_the_examples(optlab, name):
    text = " ".join(optlab(name, "--help").output.split())
    first = next(line for line in EXAMPLES if shlex.split(line)[1] == name)
    assert first[:30] in text


def test_an_unknown_command_is_answered_by_the_nearest(optlab):
    assert "compare" in optlab("compar", code=2).output


def test_the_version_is_printed(optlab):
    assert optlab("--version").output.startswith("keras-optlab ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("wrong. Received: x"), 2),
        (ImportError("needs pandas"), 1),
        (ConnectionError("nothing answers"), 1),
        (OSError(28, "No space left on device"), 1),
        (ModuleNotFoundError("No module named 'jax'", name="jax"), 1),
    ],
)
def test_errors_are_printed_without_a_traceback(optlab, monkeypatch, error, code):
    def fail(*_):
        raise error

    monkeypatch.setattr("keras_optlab.cli.listing.without_computing", fail)
    output = optlab("list", "optimizers", code=code).output
    assert output.startswith("Error: ")
    assert "Traceback" not in output


def test_an_error_is_raised_where_its_place_is_asked_for(monkeypatch):
    def fail(*_):
        raise ValueError("here")

    monkeypatch.setattr("keras_optlab.cli.listing.without_computing", fail)
    with pytest.raises(ValueError, match="here"):
        GROUP(["--traceback", "list", "optimizers"], standalone_mode=False)


def test_without_the_extra_the_command_names_it(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert cli.main() == 1
    assert 'pip install "keras-optlab[lab]"' in capsys.readouterr().err


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", STARTS + code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    return done.stdout.split()


def test_help_does_not_import_keras():
    code = "import keras_optlab.cli.app, sys; print('keras' in sys.modules)"
    assert run(code) == ["False"]


@pytest.mark.every
def test_the_package_is_imported_when_it_is_used():
    code = (
        "import os, sys; os.environ['KERAS_BACKEND'] = 'numpy'\n"
        "import keras_optlab.cli.app, keras_optlab\n"
        "print(keras_optlab.optimizers.names('adamw'), keras_optlab.__version__[0])\n"
        "from keras_optlab import lab; print(lab.problems.names()[0])"
    )
    assert run(code) == ["['adamw']", "0", "beale"]
