"""Rules about steps: clipping, skipped steps, decay of vectors, the loss scale."""

from __future__ import annotations

import math

import numpy as np

from keras_optlab.diagnosis.findings import Finding, NotJudged
from keras_optlab.diagnosis.record import Curve, Record
from keras_optlab.diagnosis.rules.loss import skipped_share
from keras_optlab.diagnosis.rules.rule import Rule, Verdict

ALWAYS = 0.95  # share of the records with clipping
SHORTENED = 0.2  # typical norm after clipping / before
SHORTENED_AT_FIRST = 0.1  # the same in a probe: gradients are larger at first
NEVER = 10.0  # the limit over the largest norm
FEWEST_RECORDS = 10
DECAYED = 0.1  # share by which decay alone shrinks a weight in the training
PER_STEP = 5e-5  # the same for one step, where the length is not known
HALVINGS = 10
CLIPPING = "global_clipnorm"  # what to set if it is not known what is set
CLUSTER = 0.2  # share of a training
ALL = 0.9  # share of the steps from the first skipped one on


def clipping_always(record: Record) -> Verdict:
    """Judge whether clipping sets the length of every step."""
    before, after = _norms(record)
    if not before or len(before.at) < FEWEST_RECORDS:
        return _no_clipping(record)
    clipped = _clipped(record, before)
    if clipped is None:
        return _no_clipping(record)
    share = float(np.mean(clipped))
    known = np.isfinite(before.values) & (before.values > 0)
    if share < ALWAYS or not known.any():
        return None
    kept = float(np.median(after.values[known] / before.values[known]))
    if kept > (SHORTENED_AT_FIRST if record.source == "probe" else SHORTENED):
        return None
    typical = float(np.median(before.values[known]))
    name = next(iter(record.setting.clips if record.setting else ()), CLIPPING)
    return Finding(
        "clipping_always",
        "warning",
        f"Clipping acts on {100 * share:.0f} % of the steps and leaves "
        f"{100 * kept:.2g} % of the gradient's norm, typically {typical:.3g}: it sets "
        "the length of every step, and the gradient only its direction.",
        f"{name}={_rounded(1.5 * typical)}  # above the typical norm",
        {"share": share, "kept": kept, "typical norm": typical},
    )


def clipping_never(record: Record) -> Verdict:
    """Judge whether clipping is on but far above every gradient."""
    if record.setting is None:
        return NotJudged("a log does not say whether clipping is on")
    if not record.setting.clips:
        return None
    if record.source == "probe":
        return NotJudged("a probe is too short to tell")
    before, _ = _norms(record)
    if not before or len(before.at) < FEWEST_RECORDS:
        return _no_clipping(record)
    clipped = _clipped(record, before)
    name, limit = next(iter(record.setting.clips.items()))
    largest = float(np.nanmax(before.values))
    if clipped is None or clipped.any() or name == "adaptive_clipnorm":
        return None
    if limit < NEVER * largest or largest == 0:
        return None
    return Finding(
        "clipping_never",
        "info",
        f"Clipping never acts: {name} is {limit:g}, and the largest norm of "
        f"{len(before.at)} records is {largest:.3g}.",
        f"{name}={_rounded(2 * largest)}  # or leave it out",
        {"limit": limit, "largest norm": largest},
    )


def skipped_steps(record: Record) -> Verdict:
    """Judge whether steps were skipped, and say where."""
    share = skipped_share(record)
    if not share:
        ours = record.setting is not None and record.setting.ours
        if ours or "optimizer/gradient_norm" in record.steps:
            return None
        return NotJudged("only optimizers of `kol.optimizers` count skipped steps")
    if record.setting is not None and record.setting.loss_scale is not None:
        return None  # overflows are how a loss scale is found
    total = record.steps.get("optimizer/skipped_steps")
    count = f"{total.values[-1]:.0f} of {record.trained} steps" if total else ""
    count = count or f"up to {100 * share:.3g} % of the steps of an epoch"
    where, code = _where(record, total)
    return Finding(
        "skipped_steps",
        "error" if share > 0.5 else "warning",
        f"The optimizer skipped {count}, since their gradients were not finite: "
        f"{where}. (The loss of an epoch with such a batch may show as NaN.)",
        code,
        {"share": share},
    )


def decayed_vectors(record: Record) -> Verdict:
    """Judge whether weight decay pulls biases and normalization to zero."""
    setting = record.setting
    if setting is None:
        return NotJudged("a log does not say which weights decay")
    if not setting.decayed_vectors:
        return None
    rate = record.rate.finite if record.rate else Curve.of([])
    mean = float(np.mean(rate.values)) if rate else (setting.rate or 0.0)
    per_step = mean * setting.weight_decay
    known = record.source != "probe" and record.trained
    share = -math.expm1(-per_step * (record.trained or 0)) if known else 0.0
    if share < DECAYED if known else per_step < PER_STEP:
        return None
    names = setting.decayed_vectors
    how = (
        f"by {100 * share:.0f} % in these {record.trained} steps"
        if known
        else f"by half in {math.log(2) / per_step:.0f} steps"
    )
    return Finding(
        "decayed_vectors",
        "info",
        f"Weight decay ({setting.weight_decay:g}) also pulls {len(names)} biases and "
        f"parameters of normalization to 0, such as `{names[0]}`: alone, it shrinks "
        f"them {how}.",
        "decay_mask='matrices'  # of kol.optimizers",
        {"vectors": len(names), "decay per step": per_step},
    )


def loss_scale(record: Record) -> Verdict:
    """Judge whether a loss scale has fallen to the ground."""
    setting = record.setting
    if setting is None:
        return NotJudged("a log does not have the loss scale")
    now, first = setting.loss_scale, setting.first_loss_scale
    if now is None:
        return None
    halvings = math.log2(first / now) if first and now > 0 else math.inf
    if now > 1 and halvings < HALVINGS:
        return None
    return Finding(
        "loss_scale",
        "error",
        f"The loss scale has fallen to {now:.3g} from {first or 0:g}: each of "
        f"{halvings:.0f} halvings was a step whose gradient was not finite. At 1 it is "
        "not the scale: the model itself overflows in float16.",
        "keras.mixed_precision.set_global_policy('mixed_bfloat16')",
        {"loss scale": now},
    )


def _where(record: Record, total: Curve | None) -> tuple[str, str]:
    """Say at which steps, and what speaks for it."""
    check = "assert np.isfinite(x).all() and np.isfinite(y).all()"
    bad = (record.data or {}).get("not finite")
    if bad:
        return f"the data have NaN or infinity in {bad}", check
    if not total or len(total.at) < 3 or not record.trained:
        return "look for NaN and huge values in the data first", check
    new = np.diff(total.values, prepend=0.0)
    at = total.at[new > 0]
    first, last, length = at[0], at[-1], record.trained
    at_end = last - first < CLUSTER * length and first > (1 - CLUSTER) * length
    if at_end or new.sum() >= ALL * (length - first + 1):
        return (
            f"all since step {first:.0f} of {length}, as when weights diverge",
            "callbacks=[kol.callbacks.SpikeGuard()]  # and a smaller rate",
        )
    if last - first < CLUSTER * length:
        return f"all between steps {first:.0f} and {last:.0f}", check
    return (
        f"from step {first:.0f} to {last:.0f}, again and again, as by bad rows in the "
        "data, which every epoch meets",
        check,
    )


def _norms(record: Record) -> tuple[Curve, Curve]:
    empty = Curve.of([])
    before = record.steps.get("optimizer/gradient_norm", empty)
    after = record.steps.get("optimizer/gradient_norm_clipped", before)
    return before, after if len(after.at) == len(before.at) else before


def _clipped(record: Record, before: Curve) -> np.ndarray | None:
    """Return for each record whether something was clipped; `None` if unknown."""
    fraction = record.steps.get("optimizer/clipped_fraction")
    if fraction and len(fraction.at) == len(before.at):
        return fraction.values > 0
    return None


def _no_clipping(record: Record) -> Verdict:
    if record.setting is not None and not record.setting.clips:
        return None
    if "optimizer/gradient_norm" in record.steps:
        return NotJudged(f"there are less than {FEWEST_RECORDS} records of norms")
    return NotJudged(record.why_no_norms)


def _rounded(x: float) -> str:
    return f"{x:.1g}"


STEP_RULES = (
    Rule(
        "clipping_always",
        clipping_always,
        f"clipping acts in {100 * ALWAYS:g} % of at least {FEWEST_RECORDS} records and "
        f"leaves {100 * SHORTENED:g} % of the norm or less (a probe: "
        f"{100 * SHORTENED_AT_FIRST:g} %)",
        "own",
    ),
    Rule(
        "clipping_never",
        clipping_never,
        f"no record was clipped, and the limit is {NEVER:g} times the largest norm",
        "own",
    ),
    Rule(
        "skipped_steps",
        skipped_steps,
        "a step was skipped without a loss scale",
        "own",
    ),
    Rule(
        "decayed_vectors",
        decayed_vectors,
        f"decay shrinks biases or normalization by {100 * DECAYED:g} % in the training "
        f"(a probe: by {PER_STEP:g} a step)",
        "He et al., 2018, arXiv:1812.01187, section 3.1",
    ),
    Rule(
        "loss_scale",
        loss_scale,
        f"the scale of a `LossScaleOptimizer` is 1 or less, or was halved {HALVINGS} "
        "times",
        "Micikevicius et al., 2017, arXiv:1710.03740, for the scale; own limit",
    ),
)
