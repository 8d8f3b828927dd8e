"""Rules about layers: vanishing and exploding gradients, no gradient, dead units."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keras_optlab.diagnosis.findings import Finding, NotJudged
from keras_optlab.diagnosis.record import Curve, Record
from keras_optlab.diagnosis.rules.rule import Rule, Verdict

SPREAD = 1e4  # between the gradient norms of two matrices
FEWEST_MATRICES = 3
FEWEST_RECORDS = 3
DEAD = 0.5  # share of the units of a layer
NO_LOSS = 1e-6  # a loss below needs no gradient
SHOWN = 3  # layers that are named


def vanishing_gradients(record: Record) -> Verdict:
    """Judge whether gradients shrink on their way to the input."""
    return _along_the_depth(record, vanishing=True)


def exploding_gradients(record: Record) -> Verdict:
    """Judge whether gradients grow on their way to the input."""
    return _along_the_depth(record, vanishing=False)


def no_gradient(record: Record) -> Verdict:
    """Judge whether a matrix, or all of them, never get a gradient."""
    total = record.steps.get("optimizer/gradient_norm")
    if not total:
        return NotJudged(record.why_no_norms)
    if len(total.at) < FEWEST_RECORDS:
        return NotJudged(f"there are less than {FEWEST_RECORDS} records of norms")
    late = total.values[len(total.values) // 2 :]
    loss = record.loss.finite
    if not late.any():
        if loss and abs(loss.values[-1]) < NO_LOSS:
            return None
        return Finding(
            "no_gradient",
            "error",
            f"No weight gets a gradient: its norm is exactly 0 in the last "
            f"{len(late)} records. The output may be saturated or clipped, as with a "
            "ReLU on the last layer whose units are all off.",
            "keras.layers.Dense(units, activation=None)  # as the last layer",
            {"gradient norm": 0.0},
        )
    norms = _trained(record)
    never = [k for k, curve in norms.items() if not curve.values.any()]
    if not never:
        return None
    return Finding(
        "no_gradient",
        "error",
        f"{_named(never)} never {_get(never)} a gradient: the norm is exactly 0 in all "
        f"{len(total.at)} records. The loss does not depend on "
        f"{'it' if len(never) == 1 else 'them'}, or the layers behind are dead.",
        "layer.trainable = False  # or connect the layer to the loss",
        {"matrices": len(never)},
    )


def dead_units(record: Record) -> Verdict:
    """Judge whether many units of a layer never get a gradient."""
    shares = {
        path: float(curve.values[len(curve.values) // 2 :].min())
        for path, curve in record.layers("weight_dead_units").items()
        if curve
    }
    if not shares:
        return NotJudged(
            "the share of dead units was not recorded"
            if record.source != "probe"
            else record.why_no_norms
        )
    alive = _trained(record)  # a layer without any gradient has a rule of its own
    dead = {
        path: share
        for path, share in shares.items()
        if share >= DEAD and (path not in alive or alive[path].values.any())
    }
    if not dead:
        return None
    worst = max(dead, key=lambda k: dead[k])
    return Finding(
        "dead_units",
        "warning",
        f"Units are dead: {100 * dead[worst]:.0f} % of the units of `{worst}` get no "
        f"gradient at all{_others(dead, worst)}. Such a ReLU unit is off for every "
        "example, and stays so.",
        "activation='leaky_relu'  # with a smaller learning rate",
        dead,
    )


def _along_the_depth(record: Record, vanishing: bool) -> Verdict:
    """Compare the smallest and the largest typical gradient, and where they are."""
    curves = {
        path: curve.finite
        for path, curve in _trained(record).items()
        if len(curve.finite.at) >= FEWEST_RECORDS and not path.endswith("embeddings")
    }
    norms = {path: float(np.median(curve.values)) for path, curve in curves.items()}
    first = {path: float(curve.values[0]) for path, curve in curves.items()}
    if not vanishing and _spread(first) > _spread(norms):
        norms = first  # the first updates may have saturated all layers
    norms = {path: x for path, x in norms.items() if x > 0}
    if len(norms) < FEWEST_MATRICES:
        if not record.layers("weight_gradient_norm"):
            return NotJudged(record.why_no_norms)
        return NotJudged(f"less than {FEWEST_MATRICES} matrices have a gradient")
    depth = list(norms)
    small, large = (
        min(norms, key=lambda k: norms[k]),
        max(norms, key=lambda k: norms[k]),
    )
    spread = _spread(norms)
    towards_input = depth.index(small) < depth.index(large)
    if spread < SPREAD or towards_input != vanishing:
        return None
    if vanishing:
        name, verb = "vanishing_gradients", "vanish"
        code = "layers.Dense(n, activation='relu', kernel_initializer='he_normal')"
    else:
        name, verb = "exploding_gradients", "explode"
        code = "keras.layers.LayerNormalization()  # between the layers"
    return Finding(
        name,
        "error",
        f"Gradients {verb} towards the input: the norm is "
        f"{norms[depth[-1]]:.2g} in `{depth[-1]}`, {norms[small]:.2g} in `{small}` and "
        f"{norms[large]:.2g} in `{large}`, a factor of {spread:.1g} between the last "
        "two.",
        code,
        {"smallest": norms[small], "largest": norms[large]},
    )


def _spread(norms: Mapping[str, float]) -> float:
    """Return the largest norm over the smallest that is not zero."""
    sizes = [x for x in norms.values() if x > 0]
    return max(sizes) / min(sizes) if sizes else 1.0


def _trained(record: Record) -> dict[str, Curve]:
    """Return the gradient norms of the matrices that are trained and not zero."""
    weights = record.layers("weight_norm")
    return {
        path: curve
        for path, curve in record.matrices("weight_gradient_norm").items()
        if curve and (path not in weights or weights[path].values.any())
    }


def _named(paths: list[str]) -> str:
    shown = ", ".join(f"`{k}`" for k in paths[:SHOWN])
    more = len(paths) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _get(paths: list[str]) -> str:
    return "gets" if len(paths) == 1 else "get"


def _others(dead: Mapping[str, float], worst: str) -> str:
    others = [k for k in dead if k != worst]
    return f", and at least {100 * DEAD:.0f} % of {_named(others)}" if others else ""


LAYER_RULES = (
    Rule(
        "vanishing_gradients",
        vanishing_gradients,
        f"typical gradient norms of two matrices differ by {SPREAD:g}, and the smaller "
        "one is nearer to the input",
        "Glorot and Bengio, 2010, for the phenomenon; own limit",
    ),
    Rule(
        "exploding_gradients",
        exploding_gradients,
        "the same, also in the first record alone, and the larger one is nearer to the "
        "input",
        "Pascanu, Mikolov and Bengio, 2012, arXiv:1211.5063, for the phenomenon; own "
        "limit",
    ),
    Rule(
        "no_gradient",
        no_gradient,
        "the gradient of a matrix is exactly 0 in all records, or that of the model in "
        "the second half of them",
        "own",
    ),
    Rule(
        "dead_units",
        dead_units,
        f"at least {100 * DEAD:g} % of the units of a layer get a gradient of exactly "
        "0 in each record of the second half; a probe: on all its batches",
        "Lu, Shin, Su and Karniadakis, 2019, arXiv:1903.06733, for the phenomenon; own "
        "limit",
    ),
)
