"""Who won and by how much, in plain sentences."""

from __future__ import annotations

from keras_optlab.lab.report.material import Material
from keras_optlab.lab.report.number_text import counted, figure, listed
from keras_optlab.lab.statistics import Judgement, Measure, Standing, Verdict


def sentences(material: Material, objective: str) -> list[str]:
    """Return what was found for an objective, the answer first."""
    judgement = material.judgements.get(objective)
    if judgement is None:
        return [_unjudged(material, objective)]
    first = judgement.ranking[0]
    if first.mean is None:
        failed = f"reached {material.aim}" if objective != "final" else "has a result"
        return [f"No run of any optimizer {failed}."]
    result = _result(material, first, objective)
    if material.is_tuning:
        return [f"{first.label} was chosen: it {result}."]
    if len(judgement.ranking) < min(2, len(material.entries)):
        return [f"No verdict yet: only {first.label} has final runs. It {result}."]
    if len(judgement.ranking) == 1:
        return [f"{first.label} was measured alone: it {result}."]
    if judgement.winner:
        return _won(material, judgement, objective)
    if all(standing.runs < 2 for standing in judgement.ranking):
        return [
            "No verdict: a single run of each optimizer does not show how much runs "
            "vary.",
            f"First is {first.label}: it {result}.",
        ]
    return _shared(material, judgement, objective)


def _unjudged(material: Material, objective: str) -> str:
    if any(entry.finals for entry in material.entries):
        return f"No verdict: {material.refusals[objective]}"
    records = material.comparison.study.records.values()
    what = (
        "confirming" if any(r["purpose"] == "confirm" for r in records) else "searching"
    )
    return f"No verdict yet: the study is still {what} the settings."


def _won(material: Material, judgement: Judgement, objective: str) -> list[str]:
    first, second, *others = judgement.ranking
    measure, result = judgement.measure, _result(material, first, objective)
    nothing = "has no result" if objective == "final" else "never reaches it"
    gap = f"; {second.label} {nothing}"  # the difference is only a bound
    if second.mean is not None:
        gap = _gap(measure, judgement.verdict(first.label, second.label), bool(others))
    worse = f"all {len(others) + 1} others" if others else second.label
    lines = [
        f"{first.label} is better than {worse}: it {result}{gap}.",
        f"In parentheses: {1 - judgement.alpha:.0%} intervals. A mean is of "
        f"{counted(first.runs, 'run')}.",
    ]
    if others:
        last = judgement.verdict(others[-1].label, first.label)
        lost = f"The last, {last.first}, {nothing}."
        lines.insert(1, lost if others[-1].mean is None else _last(measure, last))
    return lines


def _shared(material: Material, judgement: Judgement, objective: str) -> list[str]:
    first, leaders = judgement.ranking[0], judgement.leaders
    runs = counted(max(s.runs for s in judgement.ranking), "run")
    rest = leaders[1:]
    who = f"{listed(rest)} {'is' if len(rest) == 1 else 'are'} not"
    if len(rest) > 3 and not first.better_than:
        who = f"none of the other {len(rest)} optimizers is"
    lines = [
        f"No single winner: {who} distinguishable from {first.label}, the first, with "
        f"this budget ({runs} each).",
        f"{first.label} {_result(material, first, objective)}.",
    ]
    pair = judgement.verdict(first.label, leaders[1])
    if pair.effect is not None:
        lines[1] += f" {_within_noise(judgement.measure, pair)}"
    if pair.runs_needed and pair.low is not None:  # else its sentence says so
        lines[1] += f" If that is real, {pair.runs_needed} runs of each show it."
    if first.better_than:
        lines.append(f"{first.label} is better than {listed(first.better_than)}.")
    return lines


def _result(material: Material, standing: Standing, objective: str) -> str:
    """Return what an optimizer came to, after its name."""
    score, low, high = (
        material.text(objective, s)
        for s in (standing.mean, standing.low, standing.high)
    )
    notes = [f"{low} to {high}"] if standing.low is not None else []
    if standing.failed:
        notes.append(f"{standing.runs - standing.failed} of {standing.runs} runs")
    ends = f" ({'; '.join(notes)})" if notes else ""
    if objective == "final":
        return f"ends with {material.facts['monitor']} {score}{ends}"
    return f"reaches {material.aim} after {score} {objective}{ends}"


def _gap(measure: Measure, verdict: Verdict, is_next: bool) -> str:
    """Return by how much the first of a pair is better, after what it came to."""
    next_best = ", the next best" * is_next
    effect, second = verdict.effect, verdict.second
    known = verdict.low is not None and verdict.high is not None
    if not measure.is_ratio:
        ends = f" ({_below(verdict.high)} to {_below(verdict.low)})" if known else ""
        return f", {_below(effect)} below {second}{next_best}{ends}"
    what = "fewer" if measure.kind == "effort" else f"less {_what(measure)}"
    ends = f" ({_less(verdict.high)} to {_less(verdict.low)})" if known else ""
    return f", {_less(effect)} {what} than {second}{next_best}{ends}"


def _last(measure: Measure, verdict: Verdict) -> str:
    """Return by how much the first of a pair, the last of all, is worse."""
    known = verdict.low is not None and verdict.high is not None
    ends = f" ({figure(verdict.low)} to {figure(verdict.high)})" if known else ""
    if not measure.is_ratio:
        return f"The last, {verdict.first}, is {figure(verdict.effect)} above it{ends}."
    return (
        f"The last, {verdict.first}, has {figure(verdict.effect)} times its "
        f"{_what(measure)}{ends}."
    )


def _within_noise(measure: Measure, verdict: Verdict) -> str:
    """Return the difference that was seen but may be chance, as a sentence."""
    if verdict.low is None:  # without a test
        return verdict.sentence
    ends = f" (interval {figure(verdict.low)} to {figure(verdict.high)})"
    if not measure.is_ratio:
        return f"Minus that of {verdict.second}: {figure(verdict.effect)}{ends}."
    return (
        f"That is {figure(verdict.effect)} times the {_what(measure)} of "
        f"{verdict.second}{ends}, within the noise."
    )


def _what(measure: Measure) -> str:
    if measure.kind == "effort":
        return measure.name.partition(" to ")[0]
    return "error" if measure.kind == "accuracy" else "loss"


def _less(ratio: float | None) -> str:
    """Return how much less than 1 a ratio is."""
    return f"{1 - (ratio or 0.0):.0%}"


def _below(difference: float | None) -> str:
    return figure(None if difference is None else -difference)


def short(judgement: Judgement, standing: Standing) -> str:
    """Return the verdict on an optimizer for a table."""
    first = judgement.ranking[0]
    others = len(judgement.ranking) - 1
    if standing.label != first.label:
        if standing.label in first.better_than:
            return f"worse than {first.label}"
        return f"not distinguishable from {first.label}"
    if not others:
        return "measured alone"
    if judgement.winner:
        return "better than all others"
    alike = len(judgement.leaders) - 1
    return f"first, {alike} not distinguishable"
