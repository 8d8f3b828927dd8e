"""The contents of the page, section by section, for the template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_optlab._version import __version__
from keras_optlab.lab.report import charts, limits, ranking
from keras_optlab.lab.report.figures import Figure
from keras_optlab.lab.report.material import COLOURED, Entry, Material
from keras_optlab.lab.report.number_text import (
    capital,
    counted,
    duration,
    figure,
    listed,
)
from keras_optlab.lab.report.verdicts import sentences

if TYPE_CHECKING:
    from keras_optlab.lab.comparison import Comparison

HEADINGS = {
    "updates": "By updates",
    "seconds": "By seconds",
    "final": "By the final value",
}


def page(comparison: Comparison) -> dict[str, Any]:
    """Return the variables of the template."""
    material = Material(comparison)
    first = comparison.objective
    others = [o for o in material.judgements if o != first]
    rates, not_searched, at_edge = charts.rate_charts(material)
    return {
        "version": __version__,
        "problem": comparison.study.config["problem"],
        "summary": material.facts["summary"],
        "kind": "Tuning" if material.is_tuning else "Comparison of optimizers",
        "question": _question(material),
        "unfinished": limits.unfinished(material),
        "verdict": sentences(material, first),
        "other_verdicts": [(HEADINGS[o], sentences(material, o)) for o in others],
        "ranking": ranking.ranking(material),
        "pairs": ranking.pairs(material),
        "entries": material.entries,
        "coloured": COLOURED,
        "to_target": _known(charts.runs(material, o) for o in ("updates", "seconds")),
        "final": charts.runs(material, "final"),
        "aim": material.aim,
        "curves": _curves(material),
        "rates": rates,
        "not_searched": listed(not_searched),
        "at_edge": listed(at_edge),
        "by": capital(material.noun(charts.objective_of_rates(material))),
        "profiles": _known(charts.profile(material, o) for o in comparison.objectives),
        "costs": _cost_charts(material),
        "settings": [(e, _code(material, e)) for e in material.entries if e.finals],
        "is_judged": material.main is not None,
        "method": limits.method(material),
        "limits": limits.limits(material, at_edge),
        "not_shown": limits.not_shown(material),
        "failures": limits.failures(material),
        "facts": limits.facts(material),
        "trials": ranking.trials(material),
    }


def _known(found: Any) -> list[Figure]:
    return [chart for chart in found if chart is not None]


def _question(material: Material) -> str:
    """Return what was compared, in a line."""
    config = material.comparison.study.config
    of = "in all" if material.is_tuning else "for each"
    return (
        f"{counted(len(material.entries), 'optimizer')}, "
        f"{counted(config['trials'], 'setting')} tried {of}, "
        f"{counted(config['seeds'], 'fresh seed')} of the best"
    )


def _curves(material: Material) -> list[Figure]:
    metric = material.facts["monitor"]
    target = (material.facts["target"] or {}).get("metric", metric)
    shown = [("updates", metric), ("seconds", metric)]
    shown += [("updates", target)] if target != metric else []
    shown += [("updates", "train_loss")]
    return _known(charts.curves(material, along, name) for along, name in shown)


def _cost_charts(material: Material) -> list[Figure]:
    def step(entry: Entry) -> float | None:
        seconds = entry.median_of("step_seconds")
        return None if seconds is None else 1000 * seconds

    def memory(entry: Entry) -> float | None:
        size = entry.median_of("optimizer_bytes")
        return None if size is None else size / 1e6

    def of_trials(entry: Entry) -> float | None:
        return ranking.spent_seconds(entry) if entry.every else None

    spent = [ranking.spent_seconds(entry) for entry in material.entries]

    def share(seconds: float) -> str:
        whole = sum(spent) or 1.0
        return f"{duration(seconds, max(spent))}, {seconds / whole:.0%}"

    return _known(
        [
            charts.bars(material, "step", "Time of an update, ms", step, figure),
            charts.bars(
                material, "memory", "Memory of the optimizer, MB", memory, figure
            ),
            charts.bars(material, "spent", "Time of all its trials", of_trials, share),
        ]
    )


def _code(material: Material, entry: Entry) -> str:
    """Return the chosen setting as code."""
    try:
        code = material.comparison.code(entry.label)
    except ValueError:  # an optimizer of a user, which is not registered here
        setting = entry.finals[0]["setting"]
        given = ", ".join(f"{k}={v!r}" for k, v in setting["arguments"].items())
        code = f"{setting['optimizer']}({given})"
    imports = [
        text
        for name, text in (
            ("keras.", "import keras"),
            ("kol.", "import keras_optlab as kol"),
        )
        if name in code
    ]
    updates = material.comparison.updates_of(entry.label)
    facts = material.facts
    epochs = figure(updates * min(facts["batch_size"], facts["rows"]) / facts["rows"])
    length = (
        f"# For {counted(updates, 'update')} of batch {facts['batch_size']}: "
        f"{epochs} {'epoch' if epochs == '1' else 'epochs'} of {facts['rows']:,} rows."
    )
    return "\n".join([*imports, "", length, f"optimizer = {code}"]).strip()
