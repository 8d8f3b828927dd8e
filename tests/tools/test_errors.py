"""The page of error messages."""

from pathlib import Path

import keras_optlab as kol
from tools.site import errors
from tools.site.error_causes import CAUSES

PACKAGE = Path(kol.__file__).parent


def test_every_message_has_a_cause_and_a_cure():
    assert errors.missing() == []


def test_every_entry_has_a_message():
    assert errors.stale() == []


def test_entries_are_sentences():
    for key, entry in CAUSES.items():
        for text in entry:
            assert text.endswith("."), key
            assert text.count("`") % 2 == 0, key


def test_page_has_every_room():
    text = errors.page()
    raising = {
        path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for path in PACKAGE.rglob("*.py")
        if "raise ValueError(" in path.read_text("utf-8") and "oracle" not in path.parts
    }
    assert raising <= set(errors.rooms())
    for room in errors.rooms():
        assert f"\n## {room}\n" in text


def test_message_of_an_f_string():
    site = _site("cli/names.py:match")
    assert site.kind == "ValueError"
    assert site.message.startswith("There is no ... of this name. Received: ...")


def test_message_that_a_helper_builds():
    site = _site("core/fields.py:FlagField.validate")
    assert site.kind == "TypeError"
    assert "must be True or False. Received:" in site.message


def test_message_in_a_constant():
    site = _site("callbacks/tensorboard.py:TensorBoard._log_images")
    assert site.kind == "UserWarning"
    assert "no images to show" in site.message


def test_control_flow_and_abstract_methods_are_left_out():
    keys = {site.key for site in errors.sites()}
    assert "core/fields.py:FlagField.validate" in keys
    assert "stopping/base.py:Criterion.decide" not in keys
    assert "lab/engines/interrupts.py:Interrupts._interrupted" not in keys
    assert not any(key.startswith("verify/oracle/") for key in keys)


def _site(key):
    return next(site for site in errors.sites() if site.key == key)
