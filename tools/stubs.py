"""Write the types of constructors from the declared arguments: `python tools/stubs.py`.

Constructors are made at run time, so a type checker or an editor sees none of their
arguments. Two files tell it: the stub of `keras_optlab.optimizers`, and the arguments
that a `Group` takes.
"""

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_optlab import optimizers
from keras_optlab.core import FloatOrSchedule, LearningRateLike
from keras_optlab.core.axes import AxesLike
from keras_optlab.core.fields import ChoiceField
from keras_optlab.core.registry import known_fields
from keras_optlab.engine.hyperparameters.checks import UNGROUPED
from keras_optlab.engine.hyperparameters.options import Options

PACKAGE = Path(__file__).parents[1] / "keras_optlab"
OPTIMIZERS = PACKAGE / "optimizers" / "__init__.pyi"
GROUPS = PACKAGE / "core" / "group_arguments.pyi"

LISTED = "learning_rate", "weight_decay"  # in the signature of each class
# The next ones are positional in classes that Keras has too.
OF_KERAS = [k for k in optimizers.SGD.positional() if k in Options.fields]
OF_KERAS = [k for k in OF_KERAS if k not in LISTED]
OTHERS = [k for k in Options.fields if k not in (*LISTED, *OF_KERAS)]

WHOLE = {
    LearningRateLike: "LearningRateLike",
    FloatOrSchedule: "FloatOrSchedule",
    FloatOrSchedule | None: "FloatOrSchedule | None",
    AxesLike: "AxesLike",
}

HEAD = '''"""Types of the {what}: `python tools/stubs.py` writes it."""

{imports}

FloatOrSchedule = float | Callable[[Any], Any]
'''
RATE = "LearningRateLike = float | Callable[..., Any]\n"

IMPORTS_OF_GROUPS = """from collections.abc import Callable
from typing import Any, Literal, TypedDict

from keras_optlab.core.axes import AxesLike"""

IMPORTS = """from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict, Unpack

from keras_optlab.core import Group
from keras_optlab.core.axes import AxesLike
from keras_optlab.core.registry import info as info
from keras_optlab.core.registry import names as names
from keras_optlab.core.registry import wrappers as wrappers
from keras_optlab.engine import Optimizer as Optimizer
from keras_optlab.engine import Wrapper as Wrapper
from keras_optlab.engine import strict_loading as strict_loading
from keras_optlab.transforms import Transform"""

CREATE = "def create(name: str, **kwargs: Any) -> Optimizer: ...\n"


def type_of(cls: Any, name: str) -> str:
    """Return the type of an argument as text."""
    field = cls.fields[name]
    if isinstance(field, ChoiceField):
        return f"Literal[{', '.join(map(written, field.choices))}]"
    declared = (inspect.get_annotations(base).get(name) for base in cls.__mro__)
    found = next(x for x in declared if x is not None)
    if isinstance(found, str):
        return found
    text = WHOLE.get(found) or getattr(found, "__name__", None) or str(found)
    return text.replace("collections.abc.", "")


def typed_dict(name: str, base: str, types: Iterable[tuple[str, str]]) -> str:
    """Return a class of arguments by name."""
    lines = "\n".join(f"    {key}: {text}" for key, text in types)
    return f"class {name}({base}, total=False):\n{lines}\n"


def options() -> str:
    """Return the arguments of every optimizer, as two classes."""
    ours, theirs = ([(k, type_of(Options, k)) for k in x] for x in (OTHERS, OF_KERAS))
    by_name = typed_dict("ByName", "TypedDict", ours)
    common = typed_dict("Common", "ByName", theirs)
    return f"{by_name}\n{common}\n{CREATE}"


def stub(cls: Any) -> str:
    """Return a class with the arguments of its constructor as attributes."""
    public = (b for b in cls.__mro__[1:] if b.__name__ in optimizers.__all__)
    base = next(public).__name__
    inherited = getattr(getattr(optimizers, base), "fields", {})
    own = [k for k, f in cls.fields.items() if f is not inherited.get(k)]
    lines = [f"{k}: {type_of(cls, k)} = ..." for k in own]
    arguments = (f"    {parameter}," for parameter in parameters(cls))
    lines += ["def __init__(", *arguments, ") -> None: ..."]
    return f"class {cls.__name__}({base}):\n" + "".join(f"    {x}\n" for x in lines)


def parameters(cls: Any) -> list[str]:
    """Return the parameters of a constructor as text."""
    signature = inspect.signature(cls).parameters
    if issubclass(cls, optimizers.Wrapper):
        hidden, rest = [], []
    elif "name" in cls.positional():
        hidden, rest = OTHERS, ["**kwargs: Unpack[ByName]"]
    else:
        hidden, rest = [*OF_KERAS, *OTHERS], ["**kwargs: Unpack[Common]"]
    listed = [p for p in signature.values() if p.name not in hidden]
    named = [parameter(cls, p) for p in listed if p.kind is p.KEYWORD_ONLY]
    found = [parameter(cls, p) for p in listed if p.kind is not p.KEYWORD_ONLY]
    return ["self", *found, *(["*", *named] if named else []), *rest]


def parameter(cls: Any, p: inspect.Parameter) -> str:
    """Return one parameter as text."""
    if p.name == "optimizer":
        return "optimizer: Optimizer"
    fields = cls if p.name in cls.fields else Options
    default = "" if p.default is p.empty else f" = {written(p.default)}"
    return f"{p.name}: {type_of(fields, p.name)}{default}"


def written(value: Any) -> str:
    """Return a default as Python code, with double quotes."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def classes() -> list[Any]:
    """Return the package's optimizers and wrappers."""
    names = optimizers.names() + optimizers.wrappers()
    found = (optimizers.info(name).cls for name in names)
    return [cls for cls in found if cls.__name__ in optimizers.__all__]


def of_optimizers() -> str:
    """Return the stub of `keras_optlab.optimizers`."""
    bases_first = sorted(classes(), key=lambda cls: len(cls.__mro__))
    head = HEAD.format(what="optimizers and their arguments", imports=IMPORTS)
    names = "".join(f"    {written(name)},\n" for name in optimizers.__all__)
    names = f"__all__ = [\n{names}]\n"
    return "\n".join([head + RATE, names, options(), *map(stub, bases_first)])


def of_groups() -> str:
    """Return the hyperparameters that a `Group` takes."""
    types = []
    for name in sorted(known_fields() - UNGROUPED - {"learning_rate"}):
        kinds = {type_of(cls, name) for cls in classes() if name in cls.fields}
        if kinds:  # else a rule from outside the package declares it
            types.append((name, " | ".join(sorted(kinds))))
    head = HEAD.format(what="hyperparameters of a group", imports=IMPORTS_OF_GROUPS)
    return f"{head}\n{typed_dict('GroupArguments', 'TypedDict', types)}"


if __name__ == "__main__":
    OPTIMIZERS.write_text(of_optimizers())
    GROUPS.write_text(of_groups())
