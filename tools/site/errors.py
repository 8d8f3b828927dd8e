"""The page of error messages: every message of the package, its cause and its cure.

Errors and warnings are read from the code, without running it. What causes them and
what to do is written by hand, in `error_causes.py`.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tools.site.error_causes import AUTHORS, CAUSES

PACKAGE = Path(__file__).parents[2] / "keras_optlab"
EXCLUDED = ("verify/oracle/",)  # transcriptions of papers
# Exceptions that control the flow of a program and have no message.
CONTROL = {"Exit", "KeyboardInterrupt", "StopAtApply", "StopIteration", "_Stop"}
UNKNOWN = "..."
LONGEST = 170  # characters of a message in the table
DEEPEST = 4  # helpers that call helpers

Function = ast.FunctionDef | ast.AsyncFunctionDef
Texts = Mapping[str, str]


@dataclass(frozen=True)
class Site:
    """A place in the code that raises an error or warns.

    Attributes:
        module: Path of the file in the package, such as `"core/attach.py"`.
        function: Qualified name of the function or method.
        kind: Name of the exception or warning.
        message: The message, with `...` for what is known only when it is raised.
        line: Line in the file.
    """

    module: str
    function: str
    kind: str
    message: str
    line: int

    @property
    def key(self) -> str:
        """The key of this site's function in `CAUSES`."""
        return f"{self.module}:{self.function}"

    @property
    def room(self) -> str:
        """The top-level package."""
        return self.module.partition("/")[0].removesuffix(".py")

    @property
    def entry(self) -> str | None:
        """The key that `CAUSES` has: of the function, else of the module."""
        return next((k for k in (self.key, self.module) if k in CAUSES), None)


class Module:
    """The parsed code of one file, and what its names mean."""

    def __init__(self, path: Path) -> None:
        self.name = path.relative_to(PACKAGE).as_posix()
        self.tree = ast.parse(path.read_text("utf-8"))
        self.functions: dict[str, Function] = {}
        self.constants: dict[str, ast.expr] = {}
        self.imports: dict[str, tuple[str, str]] = {}  # module of the package, name
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                self.functions.setdefault(node.name, node)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for name in node.names:
                    self.imports[name.asname or name.name] = node.module, name.name
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.constants[node.targets[0].id] = node.value

    def follow(self, name: str) -> tuple[Module, str] | None:
        """Return the module of the package that an imported name is from."""
        where, what = self.imports.get(name, ("", ""))
        module = _modules_by_name().get(where)
        return None if module is None else (module, what)


@functools.cache
def modules() -> tuple[Module, ...]:
    """Return the parsed modules of the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    found = (Module(path) for path in paths)
    return tuple(x for x in found if not x.name.startswith(EXCLUDED))


@functools.cache
def _modules_by_name() -> dict[str, Module]:
    dotted = {x: x.name.removesuffix(".py").replace("/", ".") for x in modules()}
    return {
        f"keras_optlab.{name.removesuffix('.__init__')}": module
        for module, name in dotted.items()
    }


@functools.cache
def _functions_by_name() -> dict[str, list[tuple[Module, Function]]]:
    found: dict[str, list[tuple[Module, Function]]] = {}
    for module in modules():
        for name, function in module.functions.items():
            found.setdefault(name, []).append((module, function))
    return found


class Reader:
    """Reads messages in one function."""

    def __init__(
        self, module: Module, function: Function | None, texts: Texts, depth: int = 0
    ) -> None:
        self.module = module
        self.function = function
        self.texts = texts  # of the function's arguments
        self.depth = depth

    def text(self, node: ast.expr | None) -> str:
        """Return an expression as text, with `...` for what is not known."""
        match node:
            case ast.Constant(value=str(value)):
                return value
            case ast.JoinedStr(values=parts):
                return "".join(map(self.text, parts))
            case ast.FormattedValue(value=value):
                return self.text(value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.text(left) + self.text(right)
            case ast.Name(id=name):
                return self._named(name)
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                where, what = self.module.imports.get(owner, ("", ""))
                other = _modules_by_name().get(f"{where}.{what}")
                return Reader(other, None, {}).text(ast.Name(name)) if other else "..."
            case ast.Call():
                return self._returned(node)
        return UNKNOWN

    def error(self, node: ast.expr) -> tuple[str, str] | None:
        """Return kind and message of a raised expression, or `None` without one."""
        if not isinstance(node, ast.Call):
            return None if isinstance(node, ast.Name | ast.Attribute) else ("", UNKNOWN)
        name = _last_name(node.func)
        if name in CONTROL or not node.args:
            return None
        helper = self._helper(node)
        if helper is not None:
            reader, function = helper
            for built in _returns(function):
                if isinstance(built, ast.Call):
                    return reader.error(built)
        return self._kind(node.func), self.text(node.args[0])

    def _kind(self, node: ast.expr) -> str:
        """Return the name of a class of exceptions, or of the two that it may be."""
        if isinstance(node, ast.IfExp):
            return f"{self._kind(node.body)} or {self._kind(node.orelse)}"
        name = _last_name(node)
        if name is None or name in self.texts or name[0].isupper():
            return self.texts.get(name, name) if name else ""
        for found in self._assigned(name):  # `error(...)`, a class in a variable
            return self._kind(found)
        return ""

    def _assigned(self, name: str) -> list[ast.expr]:
        """Return what the function assigns to a variable."""
        nodes = ast.walk(self.function) if self.function else ()
        assigned = [x for x in nodes if isinstance(x, ast.Assign)]
        return [x.value for x in assigned if _targets(x) == [name]]

    def _named(self, name: str) -> str:
        """Return the text of a variable, a constant or an imported constant."""
        if name in self.texts:
            return self.texts[name]
        for value in self._assigned(name)[:1]:
            if isinstance(value, ast.Call) or _has_words(value):
                return self._deeper().text(value)
            return UNKNOWN
        if name in self.module.constants:
            return Reader(self.module, None, {}).text(self.module.constants[name])
        followed = self.module.follow(name)
        if followed and followed[1] in followed[0].constants:
            return Reader(followed[0], None, {})._named(followed[1])
        return UNKNOWN

    def _deeper(self) -> Reader:
        """Return a reader that follows fewer helpers, so that reading ends."""
        return Reader(self.module, self.function, self.texts, self.depth + 1)

    def _returned(self, call: ast.Call) -> str:
        """Return the text that a helper returns, if it is simple."""
        helper = self._helper(call)
        if helper is None or not isinstance(call.func, ast.Name):
            return UNKNOWN
        reader, function = helper
        texts = [reader.text(x) for x in _returns(function) if _has_words(x)]
        return texts[0] if texts else UNKNOWN

    def _helper(self, call: ast.Call) -> tuple[Reader, Function] | None:
        """Return the function of this package that is called, and its reader."""
        if self.depth >= DEEPEST:
            return None
        found: tuple[Module, Function] | None = None
        match call.func:
            case ast.Name(id=name) if name in self.module.functions:
                found = self.module, self.module.functions[name]
            case ast.Name(id=name):
                followed = self.module.follow(name)
                if followed and followed[1] in followed[0].functions:
                    found = followed[0], followed[0].functions[followed[1]]
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                known = _functions_by_name().get(name, [])
                known = [(m, f) for m, f in known if _returns(f)]
                found = known[0] if len(known) == 1 else None
        if found is None:
            return None
        module, function = found
        names = [x.arg for x in function.args.args if x.arg != "self"]
        given = dict(zip(names, call.args, strict=False))
        texts = {
            k: x.id if isinstance(x, ast.Name) and _is_class(x.id) else self.text(x)
            for k, x in given.items()
            if isinstance(x, ast.expr)
        }
        return Reader(module, function, texts, self.depth + 1), function


@functools.cache
def sites() -> tuple[Site, ...]:
    """Return all places that raise an error with a message, or warn."""
    return tuple(site for module in modules() for site in _sites(module))


def missing() -> list[str]:
    """Return the keys of functions that raise or warn, and have no entry."""
    return sorted({site.key for site in sites() if site.entry is None})


def stale() -> list[str]:
    """Return the keys of entries whose function raises nothing."""
    used = {site.entry for site in sites()}
    return sorted((set(CAUSES) - used) | (AUTHORS - set(CAUSES)))


def rooms() -> list[str]:
    """Return the top-level packages that raise errors or warn."""
    return sorted({site.room for site in sites()})


def page() -> str:
    """Return the page in Markdown."""
    found = sites()
    for_users = [x for x in found if x.entry not in AUTHORS]
    for_authors = [x for x in found if x.entry in AUTHORS]
    parts = [
        "# Error messages",
        "Every error and warning of the package, with its cause and what to do. "
        "`...` stands for a name or a value. Search the page for words of your "
        "message.",
    ]
    for room in rooms():
        parts.append(f"## {room}")
        parts.append(_table([x for x in for_users if x.room == room]))
    parts.append("## For authors of optimizers and other parts")
    parts.append(
        "Messages about a class that you write: an optimizer, a wrapper, a transform, "
        "a schedule, a criterion."
    )
    parts.append(_table(for_authors))
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(found: list[Site]) -> str:
    """Return the table of some sites, one row for each function."""
    rows = ["| message | cause | cure |", "|---|---|---|"]
    for module, of_module in groupby(found, lambda x: x.module):
        rows.append(f"| **{module.removesuffix('.py')}** | | |")
        for entry, of_entry in groupby(of_module, lambda x: x.entry):
            cause, cure = CAUSES[entry] if entry else ("", "")
            shown = dict.fromkeys(map(_cell, of_entry))
            rows.append(
                f"| {'<br>'.join(shown)} | {_escaped(cause)} | {_escaped(cure)} |"
            )
    return "\n".join(rows)


def _cell(site: Site) -> str:
    """Return kind and shortened message of a site, as code."""
    if not any(x.isalpha() for x in site.message):
        return "the message of another check"
    kind = f"{site.kind}: " if site.kind else ""
    text = f"{kind}{_shortened(site.message)}".replace("|", "/")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _shortened(message: str) -> str:
    """Return a message up to the received value, cut between two words."""
    text, _, after = " ".join(message.split()).partition("Received:")
    text = text.strip() or f"Received: {after.strip()}"
    while UNKNOWN * 2 in text:
        text = text.replace(UNKNOWN * 2, UNKNOWN)
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST].rpartition(' ')[0]} {UNKNOWN}"


def _sites(module: Module) -> Iterator[Site]:
    """Return the sites of one file, in the order of the file."""
    for node, path, function in _walk(module.tree, (), None):
        reader = Reader(module, function, {})
        if isinstance(node, ast.Raise):
            found = reader.error(node.exc) if node.exc is not None else None
        else:
            found = _category(node), reader.text(node.args[0])
        if found is not None:
            yield Site(module.name, ".".join(path), *found, node.lineno)


def _walk(
    parent: ast.AST, path: tuple[str, ...], function: Function | None
) -> Iterator[tuple[ast.Raise | ast.Call, tuple[str, ...], Function | None]]:
    """Return all `raise` and `warnings.warn`, each with the function around it."""
    for node in ast.iter_child_nodes(parent):
        here, around = path, function
        if isinstance(node, Function | ast.ClassDef):
            here = (*path, node.name)
        if isinstance(node, Function):
            around = node
        if isinstance(node, ast.Raise) or (
            isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
        ):
            yield node, here, around
        yield from _walk(node, here, around)


def _category(call: ast.Call) -> str:
    """Return the name of the warning that `warnings.warn` is given."""
    named = (x.value for x in call.keywords if x.arg == "category")
    category = call.args[1] if len(call.args) > 1 else next(named, None)
    return _last_name(category) or "UserWarning" if category else "UserWarning"


def _returns(function: Function) -> list[ast.expr]:
    return [
        x.value
        for x in ast.walk(function)
        if isinstance(x, ast.Return) and x.value is not None
    ]


def _has_words(node: ast.expr) -> bool:
    """Return whether an expression is a text, or one with some text in it."""
    if isinstance(node, ast.BinOp):
        return _has_words(node.left) or _has_words(node.right)
    text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return text or isinstance(node, ast.JoinedStr)


def _is_class(name: str) -> bool:
    return name[0].isupper() and not name.isupper()


def _targets(node: ast.Assign) -> list[str]:
    return [x.id for x in node.targets if isinstance(x, ast.Name)]


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


if __name__ == "__main__":
    print(page())
