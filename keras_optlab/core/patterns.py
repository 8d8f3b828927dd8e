"""Regular expressions as arguments, also those that a saved model brings along."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from keras_optlab.core.errors import shown

LONGEST = 200  # characters


def check_patterns(name: str, patterns: Sequence[Any], given: Any) -> tuple[str, ...]:
    """Return regular expressions, or raise if one is invalid or may take for ever.

    A quantifier around another, as in `(a+)+`, can take a time that grows exponentially
    with the text. Such patterns are refused, since a file of a model may hold them.

    Args:
        name: Name of the argument.
        patterns: The expressions.
        given: The argument as it was given, for the message.
    """
    received = f"Received: {name}={shown(given)}"
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f"`{name}` must be regular expressions. {received}")
        if len(pattern) > LONGEST:
            raise ValueError(
                f"A regular expression in `{name}` must have at most {LONGEST} "
                f"characters. {received}, where one has {len(pattern)}."
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"`{name}` must be regular expressions. {received}, where {pattern!r} "
                f"is invalid: {error}"
            ) from None
        if has_nested_quantifier(pattern):
            raise ValueError(
                f"A regular expression in `{name}` must not repeat what repeats. "
                f"{received}, where {pattern!r} does. Write `a+` for `(a+)+`."
            )
    return tuple(patterns)


def has_nested_quantifier(pattern: str) -> bool:
    r"""Return whether a group with a quantifier in it is repeated.

    >>> [has_nested_quantifier(p) for p in ("(a+)+", "((a|b*))*", r"(a\+)+", "(a+)?")]
    [True, True, False, False]
    """
    text = re.sub(r"\\.", "_", pattern, flags=re.DOTALL)
    text = re.sub(r"\[\^?\]?[^\]]*\]", "_", text)
    repeats = [False]  # by depth: whether the group so far has a quantifier
    for i, character in enumerate(text):
        ahead = text[i + 1 : i + 2]
        if character == "(":
            repeats.append(False)
        elif character == ")":
            inside = repeats.pop()
            if inside and ahead and ahead in "*+{":
                return True
            repeats[-1] |= inside
        elif character in "*+{":
            repeats[-1] = True
    return False
