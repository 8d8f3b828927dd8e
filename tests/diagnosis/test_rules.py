"""Each rule on recorded columns that have its disease, and that just have not."""

from dataclasses import replace

import numpy as np
import pytest

from keras_optlab.diagnosis.diagnose import judge
from keras_optlab.diagnosis.findings import Diagnosis, Finding
from keras_optlab.diagnosis.record import Curve, Record, Rerun
from keras_optlab.diagnosis.rules import RULES
from keras_optlab.diagnosis.setting import Setting

NAN = float("nan")
OURS = Setting("Adam", ours=True, updates=400, rate=1e-3)
FALLING = [2.3, 1.6, 1.2, 0.9, 0.7, 0.6, 0.5, 0.4]


def curve(*values, every=1):
    return Curve(every * np.arange(1.0, len(values) + 1), np.array(values, "float64"))


def many(value, n=20, every=50):
    return curve(*[value] * n, every=every)


def layers(group, **norms):
    return {f"{group}/{k}/kernel": many(v) for k, v in norms.items()}


def epochs(loss, val_loss=None):
    found = {"loss": curve(*loss)}
    return found | ({} if val_loss is None else {"val_loss": curve(*val_loss)})


def record(source="monitor", **given):
    """Return a healthy record with changes."""
    steps = {
        "optimizer/gradient_norm": many(1.0),
        "optimizer/gradient_norm_clipped": many(1.0),
        "optimizer/clipped_fraction": many(0.0),
        "optimizer/skipped_steps": many(0.0),
        **layers("weight_gradient_norm", a=0.5, b=1.0, c=0.7),
        **layers("weight_norm", a=5.0, b=5.0, c=5.0),
        **layers("update_ratio", a=2e-3, b=2e-3, c=2e-3),
        **layers("weight_dead_units", a=0.1, b=0.0),
    }
    given["steps"] = steps | given.get("steps", {})
    whole = {
        "epochs": epochs(FALLING, FALLING),
        "rate": many(1e-3),
        "setting": OURS,
        "trained": 1000,
        "data": {},
    }
    return Record(source, **(whole | given))


def clipped(fraction, before, after):
    return {
        "optimizer/gradient_norm": many(before),
        "optimizer/gradient_norm_clipped": many(after),
        "optimizer/clipped_fraction": many(fraction),
    }


def setting(**changes):
    return replace(OURS, **changes)


RISING_VAL = [2.3, 1.6, 1.2, 1.0, 1.2, 1.5, 1.8, 2.0]
SETTLED = [0.5 + 2.0 / t**4 for t in range(1, 31)]
SLOWING = [2.0 / t for t in range(1, 31)]
PLUNGE = [*np.linspace(1e-3, 1e-5, 10), *[0.0] * 10]
SKIPS = np.repeat(np.arange(1.0, 11.0), 2)
LOW = layers("update_ratio", a=1e-5, b=1e-5, c=1e-5)
HIGH = layers("update_ratio", a=0.4, b=0.4, c=0.4)
FLAT = {"losses": many(2.3)}
CRAWLING = epochs([2.30, 2.29, 2.28, 2.27, 2.26])

# Rule, a record with the disease, a record that just has it not.
CASES = [
    (
        "diverged",
        {"epochs": epochs([2.3, 1.0, NAN, NAN])},
        {"epochs": epochs([2.3, 1])},
    ),
    (
        "diverged",
        {"epochs": epochs([1, 2, 3, 4])},
        {"epochs": epochs([1, 1.2, 1.3, 1.4])},
    ),
    (
        "no_progress",
        {"epochs": epochs([2.3, 2.3, 2.3, 2.299, 2.298])},
        {"epochs": epochs([2.3, 2.3, 2.3, 2.29, 2.28])},
    ),
    ("plateau", {"epochs": epochs(SETTLED)}, {"epochs": epochs(SLOWING)}),
    (
        "overfitting",
        {"epochs": epochs(FALLING, RISING_VAL)},
        {"epochs": epochs([1.0] * 8, RISING_VAL)},
    ),
    ("rate_too_high", {"steps": HIGH} | FLAT, {"steps": HIGH}),
    ("rate_too_low", {"steps": LOW, "epochs": CRAWLING}, {"steps": LOW}),
    (
        "schedule_over",
        {"rate": curve(*PLUNGE)},
        {"rate": curve(*PLUNGE[:11])},
    ),
    ("schedule_over", {"rate": many(0.0)}, {"rate": many(1e-9)}),
    (
        "vanishing_gradients",
        {"steps": layers("weight_gradient_norm", a=1e-6, b=1e-3, c=1.0)},
        {"steps": layers("weight_gradient_norm", a=1e-3, b=1e-2, c=1.0)},
    ),
    (
        "exploding_gradients",
        {"steps": layers("weight_gradient_norm", a=1e6, b=1e3, c=1.0)},
        {"steps": layers("weight_gradient_norm", a=1e3, b=1e2, c=1.0)},
    ),
    (
        "no_gradient",
        {"steps": {"optimizer/gradient_norm": many(0.0)}},
        {
            "steps": {"optimizer/gradient_norm": many(0.0)},
            "epochs": epochs([1.0, 0.0, 0.0]),  # a loss of zero needs none
        },
    ),
    (
        "no_gradient",
        {"steps": layers("weight_gradient_norm", b=0.0)},
        {
            "steps": layers("weight_gradient_norm", b=0.0)
            | layers("weight_norm", b=0.0),  # frozen
        },
    ),
    (
        "dead_units",
        {"steps": layers("weight_dead_units", a=0.7)},
        {"steps": layers("weight_dead_units", a=0.4)},
    ),
    (
        "clipping_always",
        {"steps": clipped(1.0, 5.0, 0.1)},
        {"steps": clipped(1.0, 5.0, 4.0)},
    ),
    (
        "clipping_never",
        {"setting": setting(clips={"clipnorm": 20.0})},
        {"setting": setting(clips={"clipnorm": 5.0})},
    ),
    (
        "skipped_steps",
        {"steps": {"optimizer/skipped_steps": curve(*SKIPS, every=50)}},
        {
            "steps": {"optimizer/skipped_steps": curve(*SKIPS, every=50)},
            "setting": setting(loss_scale=2.0**13, first_loss_scale=2.0**15),
        },
    ),
    (
        "decayed_vectors",
        {"setting": setting(weight_decay=0.2, decayed_vectors=("a/bias",))},
        {"setting": setting(weight_decay=0.004, decayed_vectors=("a/bias",))},
    ),
    (
        "loss_scale",
        {"setting": setting(loss_scale=1.0, first_loss_scale=2.0**15)},
        {"setting": setting(loss_scale=2.0**12, first_loss_scale=2.0**15)},
    ),
    ("data_not_finite", {"data": {"not finite": "22 % of the rows of the inputs"}}, {}),
    ("unscaled_inputs", {"data": {"input size": 100.0}}, {"data": {"input size": 8.0}}),
    (
        "unscaled_targets",
        {"data": {"target size": 5e3}},
        {"data": {"target size": 9.0}},
    ),
    ("wrong_logits", {"data": {"logits": "logits"}}, {}),
    (
        "unreachable_targets",
        {"data": {"unreachable": 0.4, "last activation": "relu"}},
        {"data": {"unreachable": 0.0}},
    ),
    ("sorted_data", {"data": {"batches of one class": 20.0, "classes": 5.0}}, {}),
]


@pytest.mark.parametrize(("rule", "ill", "well"), CASES, ids=[c[0] for c in CASES])
def test_a_rule_finds_its_disease_and_is_silent_just_before(rule, ill, well):
    found = judge(record(**ill))
    assert rule in found.rules
    finding = found[found.rules.index(rule)]
    assert finding.sentence.endswith((".", ".)"))
    assert finding.code
    assert "\n" not in finding.code
    assert rule not in judge(record(**well)).rules


def test_every_rule_has_a_case():
    assert {rule for rule, *_ in CASES} == {rule.name for rule in RULES}


def test_a_healthy_record_has_no_finding():
    found = judge(record())
    assert found == []
    assert str(found).startswith("Nothing was found. Judged: diverged, no_progress, ")


def test_an_empty_record_has_no_finding_and_says_why():
    found = judge(Record("history"))
    assert found == []
    assert found.judged == []
    assert found.not_judged.keys() == {rule.name for rule in RULES}
    assert "pass `validation_data` to `fit`" in str(found)


def test_a_rate_of_a_probe_is_judged_by_other_rates():
    slow = {"steps": LOW, "losses": many(2.3), "source": "probe"}
    assert judge(record(**slow, reruns=(Rerun(10.0, np.full(50, 2.3)),))) == []
    found = judge(record(**slow, reruns=(Rerun(10.0, np.full(50, 1.0)),)))
    assert found.rules == ["rate_too_low"]
    assert "At 10 times this rate it fell to 1." in found[0].sentence
    rising = setting(rate=1e-5, peak=1e-3)
    found = judge(record(**slow, setting=rising, reruns=(Rerun(10.0, np.ones(50)),)))
    assert found == []
    assert "still rises" in found.not_judged["rate_too_low"]
    found = judge(record(**slow))
    assert "could not be changed" in found.not_judged["rate_too_low"]
    diverged = (Rerun(10.0, np.full(50, NAN)),)
    assert "rate_too_low" in judge(record(**slow, reruns=diverged)).judged
    fast = {"steps": HIGH, "losses": many(2.3), "source": "probe"}
    assert judge(record(**fast, reruns=(Rerun(0.1, np.full(50, 2.3)),))) == []
    found = judge(record(**fast, reruns=(Rerun(0.1, np.full(50, 1.0)),)))
    assert found.rules == ["rate_too_high"]


def test_too_few_records_are_not_said_to_be_none():
    found = judge(record(steps={"optimizer/gradient_norm": many(1.0, n=2)}))
    assert found.not_judged["no_gradient"] == "there are less than 3 records of norms"


@pytest.mark.parametrize(
    ("skipped", "said"),
    [
        (SKIPS, "again and again, as by bad rows"),
        ([0.0] * 18 + [1.0, 2.0], "as when weights diverge"),
        ([0.0] * 4 + [50.0 * n for n in range(1, 17)], "all since step 250 of 1000"),
        ([0.0] * 8 + [1.0, 2.0] + [2.0] * 10, "all between steps 450 and 500"),
    ],
)
def test_skipped_steps_are_said_to_come_from_where_they_are(skipped, said):
    steps = {"optimizer/skipped_steps": curve(*skipped, every=50)}
    assert said in judge(record(steps=steps))[0].sentence


def test_noise_of_the_validation_is_no_overfitting():
    val = [2.3, 1.2, 1.0, 1.6, 1.0, 1.6, 1.1, 1.5]
    assert judge(record(epochs=epochs(FALLING, val))) == []


def test_a_plateau_under_a_falling_rate_is_wanted():
    falling = {"rate": curve(*np.linspace(1.0, 0.1, 20))}
    assert judge(record(epochs=epochs(SETTLED), **falling)) == []


def test_vectors_are_left_out():
    bias = {"update_ratio/a/bias": many(5.0), "weight_gradient_norm/a/bias": many(0.0)}
    assert judge(record(steps=bias, **FLAT, epochs=epochs(FALLING))) == []


def test_findings_print_as_text_the_worst_first():
    found = Diagnosis(
        [
            Finding("b", "info", "Little.", "x = 1"),
            Finding("a", "error", "Much.", "x = 2", {"x": 2.0}),
        ],
        ["a", "b", "c"],
        {"d": "there is no x", "e": "there is no x"},
    )
    assert (
        str(found)
        == repr(found)
        == (
            "error: Much. [a]\n  Try: x = 2\ninfo: Little. [b]\n  Try: x = 1\n"
            "Nothing to say about: c.\nNot judged, since there is no x: d, e."
        )
    )
