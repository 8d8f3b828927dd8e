"""The configuration page, and the modules that the TensorBoard callback imports."""

import subprocess
import sys

import keras
import pytest
from tensorboard.plugin_util import markdown_to_safe_html

from keras_optlab.callbacks import TensorBoard
from keras_optlab.finders.schedule_peak import peak_of
from keras_optlab.optimizers import Adam
from keras_optlab.schedules import Cosine
from keras_optlab.tensorboard import configuration, hyperparameters
from keras_optlab.transforms import ClipByNorm
from tests.support.logs import fit, line, read_text


def test_the_configuration_is_readable(tmp_path):
    model = line(Adam(Cosine(0.1, 8), gradient_transforms=[ClipByNorm(0.5)]))
    fit(model, [TensorBoard(tmp_path, every=5, hparams={"kind": "a line"})])
    tables = {
        part: read_text(tmp_path / "train", f"configuration/{part}")[0]
        for part in ("training", "optimizer", "model", "versions")
    }
    for part, row in [
        ("training", "| `epochs` | 2 |"),
        ("training", "| `steps per epoch` | 4 |"),
        ("training", "| `loss` | mse |"),
        ("training", "| `kind` | a line |"),
        ("optimizer", "| `class` | Adam |"),
        ("optimizer", "| `learning_rate` | Cosine(initial=0.1, steps=8, final=0) |"),
        ("optimizer", "| `gradient_transforms` | [ClipByNorm(norm=0.5)] |"),
        ("model", "| line | Dense | (None, 1) | 3 |"),
        ("versions", f"| `keras` | {keras.__version__} |"),
    ]:
        assert row in tables[part]
    assert "`clipnorm`" not in tables["optimizer"]


class Private(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return y_true - y_pred

    def get_config(self):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (Private(), "Private()"),
        (lambda y, p: y - p, "&lt;lambda&gt;"),
        (keras.losses.Huber(2.0), "Huber(name=huber_loss, "),
        ({"line": "mse"}, "{line: mse}"),
    ],
)
def test_any_loss_is_described(loss, shown):
    inner = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9))
    model = line("sgd")
    model.compile(keras.optimizers.LossScaleOptimizer(inner), loss=loss)
    tables = configuration(model, model.optimizer, {})
    assert f"| `loss` | {shown}" in tables["training"]
    assert "| `class` | SGD |" in tables["optimizer"]
    assert "| `inside` | LossScaleOptimizer |" in tables["optimizer"]
    assert "CosineDecay(initial_learning_rate=0.1, decay" in tables["optimizer"]


TEXTS = {
    "two\nlines": "two<br>lines",
    "a | b": "a &#124; b",
    "*not* _bold_ `code`": "&#42;not&#42; &#95;bold&#95; &#96;code&#96;",
    "__init__.py of a_b": "&#95;&#95;init&#95;&#95;.py of a_b",
    "<b>[link](x)</b>": "&lt;b&gt;[link&#93;(x)&lt;/b&gt;",
    "größer 大 \N{ROCKET}": "größer 大 \N{ROCKET}",
    "\ud800": "",
    "x" * 9999: f"{'x' * 2000} ... (9,999 characters)",
}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.slow
def test_any_text_stays_in_its_cell(text, tmp_path):
    model = line("sgd")
    shown = TensorBoard(tmp_path, hparams={"note": text, text: 1, "after": 2})
    fit(model, [shown], epochs=1)
    table = read_text(tmp_path / "train", "configuration/training")[0]
    assert f"| `note` | {TEXTS[text]} |" in table.splitlines()
    html = markdown_to_safe_html(table)
    assert html.count("<tr>") == len(table.splitlines()) - 1
    assert "<td><code>after</code></td>\n<td>2</td>" in html


def test_names_of_layers_stay_in_their_cells():
    dense = keras.layers.Dense(1, name="a|b*c*")
    model = keras.Sequential([keras.Input((3,)), dense], name="x_y_")
    model.compile("sgd", loss="mse")
    rows = configuration(model, model.optimizer, {})["model"].splitlines()
    assert rows[2].startswith("| a&#124;b&#42;c&#42; | Dense |")
    assert rows[3].startswith("| **x_y&#95;** | Sequential |")


@pytest.mark.parametrize(
    ("optimizer", "shown"),
    [
        (Adam(), {}),
        (Adam(name="mine", epsilon=1e-3), {"optimizer": "Adam(epsilon=0.001)"}),
        (keras.optimizers.Adam(), {}),
        (
            keras.optimizers.LossScaleOptimizer(
                keras.optimizers.Adam(0.1, amsgrad=True, clipnorm=2.0)
            ),
            {"optimizer": "Adam(clipnorm=2, amsgrad=True)", "learning_rate": 0.1},
        ),
        (Adam(lambda: 0.1), {"learning_rate": 0.1, "schedule": "<lambda>"}),
        (
            Adam(Cosine(0.5), weight_decay=Cosine(0.1, 8)),
            {
                "optimizer": "Adam(weight_decay=Cosine(initial=0.1, steps=8, final=0))",
                "learning_rate": 0.5,
                "schedule": "Cosine",
            },
        ),
    ],
)
def test_what_is_not_as_by_default_is_a_hyperparameter(optimizer, shown):
    default = {"optimizer": "Adam", "learning_rate": 0.001, "schedule": "constant"}
    found = hyperparameters(optimizer, peak_of)
    assert found == {
        **default,
        **shown,
        "learning_rate": pytest.approx(shown.get("learning_rate", 0.001)),
    }


# What is imported.

IMPORTS = """
import sys, tempfile, numpy as np, keras, keras_optlab
from keras_optlab.callbacks import TensorBoard
assert "tensorboard" not in sys.modules
model = keras.Sequential([keras.layers.Dense(1)])
model.compile(keras_optlab.optimizers.SGD(), loss="mse")
with tempfile.TemporaryDirectory() as log_dir:
    model.fit(np.ones((4, 64)), np.ones((4, 1)), verbose=0,
              callbacks=[TensorBoard(log_dir, 1, histograms_every=1, images=True)])
assert {"tensorboard", "PIL"} < sys.modules.keys()
assert "tensorflow" not in sys.modules
"""


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="TensorFlow is there anyway"
)
def test_tensorboard_is_imported_late_and_brings_no_tensorflow():
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
