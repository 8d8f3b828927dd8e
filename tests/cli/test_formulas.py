import inspect
import re

import pytest

from keras_optlab import optimizers
from keras_optlab.cli import docstrings, formulas

NAMES = [  # not those that other tests define
    name
    for name in (*optimizers.names(), *optimizers.wrappers())
    if optimizers.info(name).cls.__module__.startswith("keras_optlab.optimizers.")
]


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\hat m_t / (\sqrt{v_{t-1}} + \epsilon)", "m̂ₜ / (√vₜ₋₁ + ε)"),
        (r"\frac{1 - \beta_2^t}{\max(a, b)}", "(1 − β₂ᵗ) / max(a, b)"),
        (r"\eta\, \operatorname{sign}(m_t)", "η sign(mₜ)"),
        (r"L^{(i)\top} \times_1 Q^{-\top}", "L⁽ⁱ⁾ᵀ ×₁ Q⁻ᵀ"),
        (r"\|g\|_2 \leftarrow x^{-1/2}", "‖g‖₂ ← x^(−1/2)"),
        (r"\text{learning\_rate}", "learning_rate"),
        (r"\theta_{\max}", "θₘₐₓ"),
    ],
)
def test_latex_becomes_text(latex, text):
    assert formulas.to_text(latex) == text


@pytest.mark.parametrize("name", NAMES)
def test_no_latex_is_left_in_the_documentation_of_an_optimizer(name):
    document = docstrings.read(optimizers.info(name).cls)
    parts = [*(text for _, text in document.blocks), *document.arguments.values()]
    shown = "\n".join([*parts, document.source])
    assert not re.findall(r"\\[a-zA-Z]+|\$|[{}]|\^\{|_\{", shown)
    assert document.example


def test_a_docstring_is_read_in_parts():
    document = docstrings.read(optimizers.AdamW)
    kinds = [kind for kind, _ in document.blocks]
    assert kinds == ["text", "formula", "text"]
    assert "torch has 0.01" in document.arguments["weight_decay"]
    assert document.source.endswith("Algorithm 2.")
    known = {*inspect.signature(optimizers.AdamW).parameters, "**kwargs"}
    assert set(document.arguments) <= known
    assert document.example[0].startswith("optimizer = AdamW(")
