"""Rules that read the loss: divergence, no progress, plateau, overfitting."""

from __future__ import annotations

import numpy as np

from keras_optlab.diagnosis.findings import Finding, NotJudged
from keras_optlab.diagnosis.record import Curve, Record
from keras_optlab.diagnosis.rules.rule import Rule, Verdict

RISEN = 1.5  # times the first loss
FEWEST_EPOCHS = 5
PLATEAU_EPOCHS = 10
PROGRESS = 0.02  # of the loss before training
PROGRESS_AFTER_EPOCH = 0.005  # of the loss of the first epoch
LEFT = 0.02  # of the fall so far, and of the loss
EARLY = 0.6  # share of the training at which a plateau may begin
WORSE = 0.15  # of the best validation loss
WORSE_OF_FALL = 0.05  # of its fall
LEARNED = 0.9  # times the training loss at the best validation loss


def diverged(record: Record) -> Verdict:
    """Judge whether the loss became infinite, or is above where it began."""
    loss = record.loss
    if len(loss.at) < 2:
        return NotJudged("there are less than two values of the loss")
    unit = record.loss_unit
    if not np.isfinite(loss.values[-1]):
        if skipped_share(record):
            return None  # a rule of its own; the weights are as before the NaN
        first = int(loss.at[~np.isfinite(loss.values)][0])
        return Finding(
            "diverged",
            "error",
            f"The loss is not finite since {unit} {first}: the training has diverged, "
            "or the data have a NaN.",
            _smaller_rate(record),
            {"first": first},
        )
    if record.source == "probe":  # reruns tell whether it is the rate
        return None
    start, end = record.first_loss, loss.end()
    if start is None or start <= 0 or end.min() <= RISEN * start:
        return None
    return Finding(
        "diverged",
        "error",
        f"The loss rose from {start:.3g} to {end.mean():.3g}: the training diverges.",
        _smaller_rate(record),
        {"first loss": start, "last loss": float(end.mean())},
    )


def no_progress(record: Record) -> Verdict:
    """Judge whether the loss has fallen at all."""
    if record.source == "probe":
        return NotJudged("a probe is too short to tell")
    epochs = record.epochs.get("loss", Curve.of([])).finite
    if len(epochs.at) < FEWEST_EPOCHS:
        return NotJudged(f"there are less than {FEWEST_EPOCHS} epochs")
    start = record.first_loss
    from_start = record.loss_unit == "step"
    least = PROGRESS if from_start else PROGRESS_AFTER_EPOCH
    if start is None or not start > 0:
        return NotJudged("the first loss is not a positive number")
    best = float(epochs.values.min())
    fall = (start - best) / start
    if fall >= least or best < 1e-8:
        return None
    since = "its first step" if from_start else "the first epoch"
    return Finding(
        "no_progress",
        "error",
        f"The loss has not fallen: in {len(epochs.at)} epochs it went from {start:.4g} "
        f"in {since} to {best:.4g} at best ({100 * fall:.2g} %). Inputs and labels may "
        "not belong together, or the rate may be far off.",
        "print(kol.diagnose(model, x, y))  # looks at the data too",
        {"first loss": start, "best loss": best},
    )


def plateau(record: Record) -> Verdict:
    """Judge whether much of the training brought little, at a constant rate."""
    loss = record.epochs.get("loss", Curve.of([])).finite
    if len(loss.at) < PLATEAU_EPOCHS:
        return NotJudged(f"there are less than {PLATEAU_EPOCHS} epochs")
    if record.rate and _spread(record.rate) > 1.01:
        return None  # a falling rate ends the progress on purpose
    best = np.minimum.accumulate(loss.values)
    left, won = best - best[-1], best[0] - best
    little = (left < LEFT * won) & (left < LEFT * np.abs(best))
    if not little.any():
        return None
    since, last = loss.at[int(np.argmax(little))], loss.at[-1]
    if since > EARLY * last:
        return None
    start, end = best[0], best[-1]
    level = best[int(np.argmax(little))]
    return Finding(
        "plateau",
        "info",
        f"The loss is on a plateau since epoch {since:.0f} of {last:.0f}, at a "
        f"constant rate: it fell from {start:.4g} to {level:.4g} until then, and to "
        f"{end:.4g} since.",
        "callbacks=[kol.callbacks.ReduceOnPlateau('loss')]  # or stop there",
        {"since": float(since), "level": float(level), "last": float(end)},
    )


def overfitting(record: Record) -> Verdict:
    """Judge whether the validation loss rises while the training loss falls."""
    val, train = (record.epochs.get(k, Curve.of([])) for k in ("val_loss", "loss"))
    if not val.finite:
        if len(val.at):
            return NotJudged("`val_loss` is not finite in any epoch")
        return NotJudged("there is no `val_loss` (pass `validation_data` to `fit`)")
    if len(val.finite.at) < FEWEST_EPOCHS:
        return NotJudged(f"there are less than {FEWEST_EPOCHS} epochs")
    if len(val.at) != len(train.at) or not np.isfinite(train.values).all():
        return None
    values = np.where(np.isfinite(val.values), val.values, np.inf)
    at = int(values.argmin())
    best, last = float(values[at]), float(np.median(values[-3:]))
    rise, fall = last - best, float(values[0]) - best
    later = train.values[-1] < train.values[at] - (1 - LEARNED) * abs(train.values[at])
    enough = rise > WORSE * abs(best) and rise > WORSE_OF_FALL * fall
    if not (enough and later and at < len(values) - 2) or _is_noise(values, rise):
        return None
    epoch = int(val.at[at])
    return Finding(
        "overfitting",
        "warning",
        f"The model overfits from epoch {epoch} on: val_loss rose from {best:.4g} "
        f"there to {last:.4g}, while loss fell from {train.values[at]:.4g} to "
        f"{train.values[-1]:.4g}.",
        "callbacks=[kol.callbacks.EarlyStopping('val_loss', restore_best=True)]",
        {"epoch": epoch, "best": best, "last": last},
    )


def _is_noise(values: np.ndarray, rise: float) -> bool:
    """Return whether values jump by as much as they rise."""
    jumps = np.abs(np.diff(values[np.isfinite(values)][1:]))
    return len(jumps) > 2 and rise < 2 * float(np.median(jumps))


def _spread(curve: Curve) -> float:
    """Return the largest value over the smallest."""
    values = np.abs(curve.finite.values)
    return float(values.max() / max(values.min(), 1e-30)) if len(values) else 1.0


def skipped_share(record: Record) -> float:
    """Return the share of the steps that were skipped, 0 if unknown."""
    steps = record.steps.get("optimizer/skipped_steps")
    if steps and record.trained:
        return float(steps.values[-1]) / record.trained
    share = record.steps.get("optimizer/skipped_fraction")
    return float(share.values.max()) if share else 0.0


def _smaller_rate(record: Record) -> str:
    setting = record.setting
    if setting is None or setting.rate is None or setting.scheduled:
        return record.find_rate
    return f"{setting.optimizer}({setting.rate / 10:.2g})  # a tenth; begin anew"


LOSS_RULES = (
    Rule(
        "diverged",
        diverged,
        f"the loss is not finite, or its last quarter is above {RISEN:g} times the "
        "first loss",
        "own",
    ),
    Rule(
        "no_progress",
        no_progress,
        f"in at least {FEWEST_EPOCHS} epochs the loss fell by less than "
        f"{100 * PROGRESS:g} % of its first step's, or {100 * PROGRESS_AFTER_EPOCH:g} "
        "% of its first epoch's",
        "own",
    ),
    Rule(
        "plateau",
        plateau,
        f"after at most {100 * EARLY:g} % of the epochs the loss falls by less than "
        f"{100 * LEFT:g} % of its fall until then, and of itself; a constant rate, at "
        f"least {PLATEAU_EPOCHS} epochs",
        "own",
    ),
    Rule(
        "overfitting",
        overfitting,
        f"`val_loss` ends {100 * WORSE:g} % above its best, by {100 * WORSE_OF_FALL:g} "
        f"% of its fall and twice its jumps; `loss` fell by {100 - 100 * LEARNED:g} % "
        "since",
        "Prechelt, 1998, generalization loss",
    ),
)
