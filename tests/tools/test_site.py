import re
from pathlib import Path

import keras
import numpy as np
import pytest

from tools.site import blocks
from tools.site.docstrings import markdown, meanings
from tools.site.pages import ROOT, read, sources

FENCE = "```"
GUIDES = sorted((ROOT / "docs").glob("*/*.md"))


def test_blocks_of_a_page_run_in_order_and_in_one_program(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        f"# A page\n\n<!-- run -->\n{FENCE}python\nx = 1\n{FENCE}\n\n"
        f"<!-- other library -->\n{FENCE}python\nimport nothing\n{FENCE}\n\n"
        f"<!-- run -->\n{FENCE}python\nassert x == 1\nopen('here', 'w')\n{FENCE}\n\n"
        f"<!-- run -->\n{FENCE}sh\ntest -f here\n{FENCE}\n"
    )
    assert blocks.run(page) == 3


def test_a_failure_names_the_line_of_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n<!-- run -->\n{FENCE}python\n1 / 0\n{FENCE}\n")
    with pytest.raises(ZeroDivisionError) as caught:
        blocks.run(page)
    assert caught.traceback[-1].lineno + 1 == 5


@pytest.mark.parametrize("mark", ["", "<!-- later -->\n"])
def test_a_block_without_a_mark_is_refused(mark):
    with pytest.raises(ValueError, match="expected a mark above the block"):
        blocks.blocks(f"{mark}{FENCE}python\nx = 1\n{FENCE}\n")


@pytest.mark.parametrize("page", GUIDES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_each_block_of_a_guide_is_marked(page):
    blocks.blocks(page.read_text("utf-8"))


def test_a_smoke_run_is_short():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((1000, 2))
    with blocks.tiny():
        history = model.fit(x, x[:, :1], batch_size=32, epochs=9, verbose=0)
        assert len(history.epoch) == 1
        assert int(model.optimizer.iterations) == 2
    assert len(model.fit(x, x[:, :1], epochs=2, verbose=0).epoch) == 2


def test_docstrings_become_markdown():
    def add(x):
        """Add.

        Some text.

        Args:
            x: A number | an
                array.

        Raises:
            TypeError: if not.

        >>> 1 + 1
        2
        """

    text = markdown(add)
    assert text.startswith("Some text.")
    assert "## Arguments\n\n| name | meaning |\n|---|---|\n| `x` | A number" in text
    assert "A number &#124; an array. |" in text
    assert "## Raises" in text
    assert "```pycon\n>>> 1 + 1\n2\n```" in text


def test_the_meaning_of_an_inherited_argument_is_written_out():
    from keras_optlab.optimizers import AdamW

    assert meanings(AdamW)["beta_1"] == r"$\beta_1$ in [0, 1)."


def test_links_between_files_become_links_of_the_site():
    text, pictures = read("examples/textbook/README.md")
    assert "`gradient_descent.py`" in text  # a file that is not in the site
    assert all(path.exists() for path in pictures.values())
    for source, place in sources().items():
        found, _ = read(source)
        for target in re.findall(r"\]\(([\w./-]+\.md)\)", found):
            there = (Path("/site") / place).parent.joinpath(target).resolve()
            known = {str(Path("/site") / p) for p in sources().values()}
            generated = re.search("/(gallery|reference)/|/errors.md", str(there))
            assert generated or str(there) in known, (source, target)


def test_formulas_become_mathml():
    mathml = pytest.importorskip("tools.site.mathml")
    page = mathml.with_mathml("The rate $r$ and `$r$`:\n\n$$x = 1$$\n\n    $a$\n")
    assert "The rate <math><mrow><mi>r</mi></mrow></math> and `$r$`" in page
    assert '<math display="block">' in page
    assert "    $a$" in page
