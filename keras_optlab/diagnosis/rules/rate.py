"""Rules about the learning rate: too high, too low, schedule over."""

from __future__ import annotations

import numpy as np

from keras_optlab.diagnosis.findings import Finding, NotJudged
from keras_optlab.diagnosis.record import Curve, Record
from keras_optlab.diagnosis.rules.rule import Rule, Verdict

HIGH = 0.1  # update ratio; 1e-3 is healthy
FAR_TOO_HIGH = 0.5  # the same, whatever the loss does
LOW = 1e-4
HEADWAY = 0.1  # fall of the loss, as a share of its first value, that speaks for a rate
CRAWL = 0.2  # fall of the loss of a training at too low a rate
FEWEST_VALUES = 4
FALLS = 0.75  # share of the values of a loss that are below the one before
BETTER = 3.0  # times the fall at the model's own rate
LOWER, HIGHER = (0.1, 0.01, 0.001), (10.0, 100.0, 1000.0)  # factors on the rate to try
RISES = 1.5  # times the present rate
OVER = 0.01  # of the largest rate
LATE = 0.1  # share of a training that may be at the end of its schedule


def rate_too_high(record: Record) -> Verdict:
    """Judge whether large updates make no headway."""
    ratios = update_ratios(record)
    if not ratios:
        return NotJudged(record.why_no_norms)
    start, end = _levels(record)
    if start is None or not start > 0:
        return NotJudged("the first loss is not a positive number")
    largest = float(ratios.values.max())
    if largest <= HIGH:
        return None
    tried = best_rerun(record, below=1.0)
    if record.source == "probe":
        if tried is None or not _is_better(tried[1], start, end):
            return None
    elif largest <= FAR_TOO_HIGH and end <= (1 - HEADWAY) * start:
        return None
    evidence = ""
    if tried is not None:
        evidence = f" At {tried[0]:g} of this rate it fell to {tried[1]:.3g}."
    went = f"went from {start:.3g} to {end:.3g}" if np.isfinite(end) else "diverged"
    return Finding(
        "rate_too_high",
        "error",
        f"The learning rate is too high: an update moved a typical matrix by up to "
        f"{100 * largest:.3g} % of its norm (0.1 % is usual), and the loss {went}."
        f"{evidence}",
        record.find_rate,
        {"update ratio": largest, "first loss": start, "last loss": float(end)},
    )


def rate_too_low(record: Record) -> Verdict:
    """Judge whether small updates keep a loss from falling that could."""
    ratios = update_ratios(record)
    if not ratios:
        return NotJudged(record.why_no_norms)
    start, end = _levels(record)
    typical = float(np.quantile(ratios.values, 0.9))
    if start is None or start <= 0 or not np.isfinite(end) or typical >= LOW:
        return None
    tried = best_rerun(record, above=1.0)
    if record.source == "probe":
        setting = record.setting
        if setting and setting.rate and setting.peak > RISES * setting.rate:
            return NotJudged("the schedule of the rate still rises")
        if not record.reruns:
            return NotJudged("the rate of this optimizer could not be changed")
        if tried is None or not _is_better(tried[1], start, end):
            return None
    elif not _crawls(record):
        return None
    evidence = ""
    if tried is not None:
        evidence = f" At {tried[0]:g} times this rate it fell to {tried[1]:.3g}."
    return Finding(
        "rate_too_low",
        "warning",
        f"The learning rate is too low: an update moves a typical matrix by "
        f"{100 * typical:.3g} % of its norm (0.1 % is usual), and the loss fell only "
        f"from {start:.3g} to {end:.3g}.{evidence}",
        record.find_rate,
        {"update ratio": typical, "first loss": start, "last loss": float(end)},
    )


def schedule_over(record: Record) -> Verdict:
    """Judge whether the training goes on where its rate has ended."""
    rate, setting = record.rate, record.setting
    if not rate or len(rate.at) < 2:
        if setting is None or setting.rate is None:
            return NotJudged("no curve of the learning rate is known")
        rate = Curve.of([(1, setting.rate), (2, setting.rate)])  # it is constant
    peak = float(rate.values.max())
    if peak <= 0:
        return Finding(
            "schedule_over",
            "error",
            "The learning rate is 0 in the whole training: no weight moves.",
            record.find_rate,
            {"rate": 0.0},
        )
    last = float(rate.values[-1])
    same = np.isclose(rate.values, last, rtol=1e-6, atol=1e-12 * peak)
    if last > OVER * peak or same.all():
        return None
    since = int(np.flatnonzero(~same)[-1]) + 1
    length = rate.at[-1] - rate.at[0]
    share = float((rate.at[-1] - rate.at[min(since, len(same) - 1)]) / length)
    if share <= LATE:
        return None
    unit = "epoch" if record.rate_by_epoch else "step"
    return Finding(
        "schedule_over",
        "warning",
        f"The schedule is over: from {unit} {rate.at[since]:.0f} of {rate.at[-1]:.0f} "
        f"on, the learning rate is {last:.3g}, its peak was {peak:.3g}. The last "
        f"{100 * share:.0f} % of the training do next to nothing.",
        "learning_rate=kol.schedules.Cosine(rate)  # spans `fit`, with a new optimizer",
        {"since": float(rate.at[since]), "rate": last, "peak": peak},
    )


def update_ratios(record: Record) -> Curve:
    """Return the median over the matrices of update norm / weight norm, by step."""
    points: dict[float, list[float]] = {}
    sizes = record.layers("weight_norm")
    for path, curve in record.matrices("update_ratio").items():
        size = sizes.get(path)
        if size and not size.values[0]:
            continue  # one that starts at zero, as of LoRA, has to move far at first
        for at, value in zip(*curve.finite, strict=True):
            points.setdefault(at, []).append(value)
    return Curve.of((at, float(np.median(v))) for at, v in points.items())


def factors_to_try(record: Record) -> tuple[float, ...]:
    """Return the factors on the rate at which a probe is to be repeated."""
    ratios = update_ratios(record)
    if not ratios:
        return ()
    if ratios.values.max() > HIGH:
        return LOWER
    return HIGHER if np.quantile(ratios.values, 0.9) < LOW else ()


def best_rerun(
    record: Record, above: float = 0.0, below: float = np.inf
) -> tuple[float, float] | None:
    """Return factor and last loss of the best rerun with a factor in a range."""
    ends = [
        (x.factor, float(np.mean(x.losses[-max(1, len(x.losses) // 5) :])))
        for x in record.reruns
        if above < x.factor < below and np.isfinite(x.losses).all()
    ]
    return min(ends, key=lambda x: x[1], default=None)


def _levels(record: Record) -> tuple[float | None, float]:
    """Return the first loss and the mean of the last ones."""
    loss = record.loss
    if not loss:
        return None, np.nan
    return record.first_loss, float(loss.end(0.2).mean())


def _is_better(other: float, start: float, end: float) -> bool:
    """Return whether the loss of a rerun has fallen clearly, and much further."""
    own = start - end if np.isfinite(end) else 0.0
    fall = start - other
    return fall >= HEADWAY * start and fall >= BETTER * max(own, 0.0)


def _crawls(record: Record) -> bool:
    """Return whether a loss still falls steadily, but has fallen only little."""
    epochs = record.epochs.get("loss", Curve.of([]))
    values = (epochs if len(epochs.at) >= FEWEST_VALUES else record.loss).values
    if len(values) < FEWEST_VALUES:
        return False
    falls = float(np.mean(np.diff(values) < 0))
    return (1 - CRAWL) * values[0] < values[-1] < values[0] and falls >= FALLS


RATE_RULES = (
    Rule(
        "rate_too_high",
        rate_too_high,
        f"the largest update ratio (median over the matrices) is above "
        f"{FAR_TOO_HIGH:g}, or above {HIGH:g} where the loss has not fallen by "
        f"{100 * HEADWAY:g} %; a probe: it is above {HIGH:g}, and at a smaller rate "
        f"the loss falls by {100 * HEADWAY:g} % and {BETTER:g} times as far",
        "Karpathy, CS231n, 2015: a ratio of 1e-3 is healthy",
    ),
    Rule(
        "rate_too_low",
        rate_too_low,
        f"the update ratio is below {LOW:g}, and the loss falls steadily, by less than "
        f"{100 * CRAWL:g} %; a probe: it is below {LOW:g}, and at a higher rate the "
        f"loss falls by {100 * HEADWAY:g} % and {BETTER:g} times as far",
        "Karpathy, CS231n, 2015",
    ),
    Rule(
        "schedule_over",
        schedule_over,
        f"the rate stays at {100 * OVER:g} % of its peak or less in the last "
        f"{100 * LATE:g} % of the training, or is always 0",
        "own",
    ),
)
