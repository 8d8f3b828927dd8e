"""`optlab show`: all about one optimizer, schedule, callback or problem."""

from __future__ import annotations

import inspect
import re
from typing import Annotated, Any

import typer
from rich.text import Text

from keras_optlab.cli import docstrings, names
from keras_optlab.cli.console import Column, code, heading, out, say, show_table
from keras_optlab.cli.loading import load, without_computing


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A name of `optlab list`, spelled in any way. E.g. adamw, one-cycle",
            show_default=False,
        ),
    ],
) -> None:
    """Show all about one of them.

    An optimizer or wrapper, a schedule, a callback or a problem. For an optimizer:
    its formula, arguments, paper, what other libraries do differently, what to
    search when it is tuned, when to use it, and its memory.

    Examples:
    optlab show adamw
    optlab show onecycle
    optlab show mnist-cnn
    """
    without_computing()
    classes = names.schedules() | names.callbacks()
    classes["Optimizer"] = load("optimizers").Optimizer
    problems = load("lab.problems").names()
    known = dict.fromkeys(problems, "problem")
    known |= {**classes, **{name: name for name in names.optimizers()}}
    load("lab.requirements").need("pylatexenc")
    found = names.match(name, known, "optimizer, schedule, callback or problem")
    if found == "problem":
        _show_problem(names.match(name, {p: p for p in problems}, "problem"))
    elif inspect.isclass(found):
        _show_class(found)
    else:
        _show_optimizer(load("optimizers").info(found))


def _title(name: str, line: str) -> None:
    out.print(Text(name, style="bold cyan"), Text(line), sep="  ")


def _show_blocks(document: docstrings.Document) -> None:
    """Print the text and the formulas, without the first sentence."""
    for kind, content in document.blocks[1:]:
        out.print()
        if kind == "formula":
            for line in content.splitlines():
                say(line, indent=4, style="bold")
        else:
            say(content)


def _show_optimizer(info: Any) -> None:
    document = docstrings.read(info.cls)
    _title(info.cls.__name__, names.summary(info.cls))
    _show_blocks(document)
    if info.tuning.use_when:
        heading("When")
        say(f"use it: {docstrings.prose(info.tuning.use_when)}", indent=2)
        say(f"rather not: {docstrings.prose(info.tuning.not_when)}", indent=2)
    heading("Facts")
    for label, text in _facts(info):
        say(f"{label}: {text}", indent=2)
    heading("Arguments")
    _show_arguments(info, document)
    say("and those of every optimizer: optlab show optimizer", indent=2)
    _show_search(info)
    _show_paper(info, document)
    _show_example(document)


def _facts(info: Any) -> list[tuple[str, str]]:
    wraps = info.cls.__mro__[1].__name__ == "Wrapper"
    whose = " of its own, beside those of the inner optimizer" if wraps else ""
    found = [
        ("name", info.name),
        ("family", info.family),
        ("memory", f"{info.bytes_per_parameter:g} bytes of state for a weight{whose}"),
    ]
    if info.keras_twin:
        found.append(("in Keras", f"keras.optimizers.{info.keras_twin}, same updates"))
    if info.learning_rate_free:
        found.append(("rate", "it finds its own; the learning rate is a factor on it"))
    return found


def _show_arguments(info: Any, document: docstrings.Document) -> None:
    rows = []
    for name, h in info.hyperparameters.items():
        meaning = _meaning(name, document.arguments.get(name) or h.doc)
        rows.append([name, _value(h.default), h.domain, meaning])
    columns = [Column("argument"), Column("default"), Column("domain", rank=1)]
    show_table([*columns, Column("meaning", wraps=True)], rows)


def _meaning(name: str, text: str) -> str:
    """Return what an argument means; "As in Adam." is looked up there."""
    other = re.fullmatch(r"As in (\w+)\.", text)
    if other is None or other[1].lower() not in names.optimizers():
        return text
    cls = load("optimizers").info(other[1]).cls
    return docstrings.meanings(cls).get(name, text)


def _value(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _show_search(info: Any) -> None:
    tuning = info.tuning
    heading("Searched when it is tuned")
    domains = {"learning_rate": tuning.learning_rate, **tuning.others}
    for name, domain in domains.items():
        if domain is not None:
            say(f"{name}: {domain_in_words(domain)}", indent=2)
    schedule = tuning.schedule.replace("_", "-")
    if tuning.learning_rate is not None:
        say(f"schedule: {schedule}", indent=2)


def domain_in_words(domain: Any) -> str:
    """Return what a search space allows, in words."""
    if hasattr(domain, "values"):
        return "one of " + ", ".join(map(_value, domain.values))
    spread = " (logarithmic)" if type(domain).__name__ == "LogUniform" else ""
    return f"{domain.low:g} to {domain.high:g}{spread}"


def _show_paper(info: Any, document: docstrings.Document) -> None:
    heading("Paper, and differences elsewhere")
    paper = info.paper
    say(f"{paper.authors} ({paper.year}): {paper.title}", indent=2)
    if paper.arxiv:
        code(f"https://arxiv.org/abs/{paper.arxiv}")
    say(document.source, indent=2)
    for wrong in load("verify.known_wrong").KNOWN_WRONG:
        if wrong.comparison.name == info.name:
            say(f"{wrong.comparison.oracle}: {wrong.what}", indent=2)


def _show_example(document: docstrings.Document) -> None:
    if document.example:
        heading("Example")
        code("\n".join(document.example))


def _show_class(cls: Any) -> None:
    document = docstrings.read(cls)
    _title(cls.__name__, names.summary(cls))
    _show_blocks(document)
    heading("Arguments")
    rows, meanings = [], docstrings.meanings(cls)
    for name, p in inspect.signature(cls).parameters.items():
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
            rows.append([name, _value(p.default), meanings.get(name, "")])
    columns = [Column("argument"), Column("default"), Column("meaning", wraps=True)]
    show_table(columns, rows)
    if document.source:
        heading("Source")
        say(document.source, indent=2)
    _show_example(document)


def _show_problem(name: str) -> None:
    problem = load("lab.problems").find(name)
    _title(name, problem.summary)
    heading("Facts")
    target = problem.target
    aim = f"{target.metric} {target.value:g}" if target else "none"
    for label, text in (
        ("target", aim),
        ("compared at the end", problem.monitor),
        ("epochs", f"{problem.epochs:g}"),
        ("batch size", problem.batch_size),
        ("updates between evaluations", problem.evaluate_every or "an epoch"),
    ):
        say(f"{label}: {text}", indent=2)
    heading("Try")
    code(f"optlab train {name} --optimizer adamw")
    code(f"optlab compare {name} --optimizers sgd,adam,muon --trials 6 --seeds 3")
