"""Rules about what a probe has seen of the data and the outputs."""

from __future__ import annotations

from keras_optlab.diagnosis.findings import Finding, NotJudged
from keras_optlab.diagnosis.record import Record
from keras_optlab.diagnosis.rules.rule import Rule, Verdict

LARGE_INPUT = 30.0  # root mean square
LARGE_TARGET = 100.0
SORTED_BATCHES = 8

NO_DATA = "the data are not known (call `kol.diagnose(model, x, y)`)"


def data_not_finite(record: Record) -> Verdict:
    """Judge whether the data have NaN or infinity."""
    if record.data is None:
        return NotJudged(NO_DATA)
    where = record.data.get("not finite")
    if not where:
        return None
    return Finding(
        "data_not_finite",
        "error",
        f"The data have NaN or infinity in {where}.",
        "x = np.where(np.isfinite(x), x, np.nanmedian(x, axis=0))  # or leave them out",
    )


def unscaled_inputs(record: Record) -> Verdict:
    """Judge whether the inputs are large, and no layer scales them."""
    if record.data is None:
        return NotJudged(NO_DATA)
    size = float(record.data.get("input size", 0.0))
    if size <= LARGE_INPUT:
        return None
    return Finding(
        "unscaled_inputs",
        "warning",
        f"The inputs are not scaled: their root mean square is {size:.3g} (1 is usual) "
        "where the first weights get them, and no layer normalizes them.",
        "x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6)  # images: x / 255",
        {"input size": size},
    )


def unscaled_targets(record: Record) -> Verdict:
    """Judge whether the targets of a regression are large."""
    if record.data is None:
        return NotJudged(NO_DATA)
    size = float(record.data.get("target size", 0.0))
    if size <= LARGE_TARGET:
        return None
    return Finding(
        "unscaled_targets",
        "warning",
        f"The targets are not scaled: their root mean square is {size:.3g}, and the "
        f"model's outputs are {float(record.data.get('output size', 0.0)):.3g}; losses "
        "and gradients grow with them.",
        "y = (y - y.mean()) / y.std()  # or np.log(y)",
        {"target size": size},
    )


def wrong_logits(record: Record) -> Verdict:
    """Judge whether `from_logits` of the loss fits the outputs."""
    if record.data is None:
        return NotJudged(NO_DATA)
    kind = record.data.get("logits")
    if kind is None:
        return None
    if kind == "probabilities":
        what = (
            "The loss has from_logits=True, but the outputs are probabilities already: "
            "the softmax or sigmoid is applied twice"
        )
        code = "keras.layers.Dense(units)  # without activation, as the last layer"
    else:
        what = (
            "The loss takes probabilities (from_logits=False), but the outputs are "
            "none: they are negative, above 1, or do not sum to 1"
        )
        name = record.data.get("loss", "SparseCategoricalCrossentropy")
        code = f"loss=keras.losses.{name}(from_logits=True)"
    low, high = (float(record.data.get(k, 0.0)) for k in ("output low", "output high"))
    return Finding(
        "wrong_logits",
        "error",
        f"{what} (outputs from {low:.3g} to {high:.3g}).",
        code,
        {"output low": low, "output high": high},
    )


def unreachable_targets(record: Record) -> Verdict:
    """Judge whether the last activation can reach the targets."""
    if record.data is None:
        return NotJudged(NO_DATA)
    share = float(record.data.get("unreachable", 0.0))
    if not share:
        return None
    name = record.data.get("last activation")
    return Finding(
        "unreachable_targets",
        "error",
        f"{100 * share:.3g} % of the targets are outside of what the last activation, "
        f"{name}, can give.",
        "keras.layers.Dense(units)  # without activation, as the last layer",
        {"share": share},
    )


def sorted_data(record: Record) -> Verdict:
    """Judge whether batches hold one class each."""
    if record.data is None:
        return NotJudged(NO_DATA)
    batches = float(record.data.get("batches of one class", 0.0))
    classes = float(record.data.get("classes", 0.0))
    if not batches:
        return None
    return Finding(
        "sorted_data",
        "error",
        f"The data are not shuffled: each of {batches:.0f} batches holds one class "
        f"only, and there are {classes:.0f} classes.",
        "dataset = dataset.unbatch().shuffle(10_000).batch(32)",
        {"batches": batches, "classes": classes},
    )


DATA_RULES = (
    Rule(
        "data_not_finite", data_not_finite, "inputs or targets have NaN or Inf", "own"
    ),
    Rule(
        "unscaled_inputs",
        unscaled_inputs,
        f"the root mean square of the inputs is above {LARGE_INPUT:g}, and the model "
        "has no layer that scales or embeds them",
        "LeCun, Bottou, Orr and Müller, 1998, section 4.3; own limit",
    ),
    Rule(
        "unscaled_targets",
        unscaled_targets,
        f"the root mean square of the targets of a regression is above "
        f"{LARGE_TARGET:g}, and 10 times that of the outputs",
        "own",
    ),
    Rule(
        "wrong_logits",
        wrong_logits,
        "`from_logits` of the cross-entropy contradicts the outputs of all examples",
        "Keras' documentation of the losses",
    ),
    Rule(
        "unreachable_targets",
        unreachable_targets,
        "targets of a regression are outside of the range of the last activation",
        "own",
    ),
    Rule(
        "sorted_data",
        sorted_data,
        f"each of at least {SORTED_BATCHES} batches, in the order of the data, holds "
        "one class, and there are several",
        "own",
    ),
)
