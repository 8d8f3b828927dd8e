"""`Values`: a record of named values, such as a weight's slots."""

from collections.abc import Iterator
from typing import Any

from keras import ops

from keras_optlab.core.numerics import BetaTensor


class Values:
    """An immutable record of named values, read as attributes.

    >>> s = Values(m=1.0, v=2.0)
    >>> s.next(m=3.0)
    Values(m=3.0, v=2.0)
    >>> s.next(n=3.0)
    Traceback (most recent call last):
        ...
    AttributeError: No value is declared under this name. Received: 'n'. Declared: m, v
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"`Values` cannot be changed; use `.next({name}=...)`. "
            f"Received: {name}={value!r}"
        )

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"No value is declared under this name. Received: {name!r}. "
            f"Declared: {', '.join(vars(self)) or 'none'}"
        )

    def __contains__(self, name: str) -> bool:
        return name in vars(self)

    def next(self, **values: Any) -> "Values":
        """Return a copy with some values replaced."""
        for name in values:
            getattr(self, name)
        return self.extend(**values)

    def extend(self, **values: Any) -> "Values":
        """Return a copy with values replaced or added."""
        return Values(**(vars(self) | values))

    def cast(self, dtype: str) -> "Values":
        """Return a copy with floating-point tensors and betas in another dtype."""

        def cast(x: Any) -> Any:
            if isinstance(x, BetaTensor):
                return x.cast(dtype)
            now = str(getattr(x, "dtype", ""))  # a call of `ops` is slower
            if "float" not in now or now.endswith(str(dtype)) or not ops.is_tensor(x):
                return x
            return ops.cast(x, dtype)

        return Values(**{name: cast(x) for name, x in self.items()})

    def items(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the names and values, in declared order."""
        return iter(vars(self).items())

    def __repr__(self) -> str:
        return f"Values({', '.join(f'{k}={v!r}' for k, v in self.items())})"
