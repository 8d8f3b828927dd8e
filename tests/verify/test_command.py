"""`python -m keras_optlab.verify`."""

import re
from pathlib import Path

import keras
import pytest

from keras_optlab import optimizers
from keras_optlab.verify import command, comparisons, libraries

pytest.importorskip("rich")
HERE = ["--backend", keras.backend.backend()]
PAGE = Path(__file__).parents[2] / "docs" / "verify.md"


@pytest.mark.slow
def test_prints_what_agrees(capsys, tmp_path, monkeypatch):
    keras_alone = lambda path: path.startswith("keras.")  # noqa: E731
    monkeypatch.setattr(libraries, "is_installed", keras_alone)
    page = tmp_path / "page.md"
    assert command.main(["sgd", "Lamb", *HERE, "--markdown", str(page)]) == 0
    shown = capsys.readouterr().out
    assert " 0 not as expected" in shown
    for name in ("sgd", "lamb", "keras.optimizers.Lamb"):
        assert name in shown
        assert f"| {name} |" in page.read_text()
    assert "adam" not in page.read_text()


@pytest.mark.slow
def test_a_row_out_of_tolerance_is_an_error(capsys, monkeypatch):
    monkeypatch.setitem(comparisons.TOLERANCE, "float32", 0.0)
    assert command.main(["signsgd", *HERE]) == 1
    assert "NO" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["adamm"], "Did you mean 'adam'"),
        (["adam", "--backend", "numpy"], "Received: 'numpy'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert message in re.sub(r"\s+", " ", capsys.readouterr().err)


def test_the_page_knows_every_optimizer():
    page = PAGE.read_text()
    assert " NO " not in page
    for name in optimizers.names():
        home = optimizers.info(name).cls.__module__
        if home.startswith("keras_optlab.optimizers."):
            assert f"| {name} | " in page, "run the command with --markdown"
