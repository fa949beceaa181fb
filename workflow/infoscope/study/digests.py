"""Digests of the code behind a result: they change when the result may.

A digest covers the definitions that a root reaches through the package: functions,
classes, constants and, of each class, the members that some reached definition names.
It holds what they compute, not where they are or how they are explained: moving or
renaming a module, a docstring, a comment, a type annotation, the text of an error or of
a log line, and the description of a config key change nothing. Values of config keys
are part of the specs.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
# They report on a job, stop it, or read its config: no result depends on them.
SILENT = {"errors", "eta", "models", "registry", "files/atomic", "run/devices"}
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
LOGGERS = {"log", "logger", "logging", "warnings"}
# Bases whose methods only the package calls, by the names that it uses.
PLAIN_BASES = {"ABC", "BaseModel", "Enum", "Generic", "Protocol", "StrEnum", "object"}

# A module and a name that it defines: `name` of a function, class or constant, or
# `class.member`.
Unit = tuple[Path, str]


@dataclass(frozen=True)
class Definition:
    """One definition, as far as results depend on it.

    Attributes
    ----------
    digest
        Hash of its syntax tree without what only people read.
    units
        Definitions of the package that it refers to.
    attributes
        Names of all attributes that it reads, of whatever object.
    members
        Of a class, the names of members that count only if they are used.
    external
        Of a class, whether a library calls its methods.
    """

    digest: str
    units: frozenset[Unit]
    attributes: frozenset[str]
    members: frozenset[str] = frozenset()
    external: bool = False


@dataclass
class Module:
    """A parsed module.

    Attributes
    ----------
    definitions
        Statements that bind each name at the top level.
    imports
        Module, and name in it, of everything that it imports from the package; a name
        of None is the module itself.
    effects
        Statements that bind no name.
    """

    path: Path
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, tuple[Path, str | None]] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)


@cache
def digest(*roots: Unit) -> str:
    """Hash all definitions that some roots reach.

    Parameters
    ----------
    roots
        Files and names in them. Of a root that is a class, each member counts that is
        named by any definition that is reached.

    Returns
    -------
        The same hexadecimal digits for the same code, wherever its modules are.
    """
    hashes = {definition.digest for definition in reached(roots).values()}
    return hashlib.sha256(json.dumps(sorted(hashes)).encode()).hexdigest()[:16]


def unit(module: str, name: str) -> Unit:
    """Name a definition of the package, such as ("stages.train", "run")."""
    path = _file(module)
    if path is None:
        raise ValueError(f"there is no module {module}")
    return path, name


def reached(roots: Iterable[Unit]) -> dict[Unit, Definition]:
    """Collect the definitions that some roots reach, the roots included."""
    found: dict[Unit, Definition] = {}
    seen: set[Unit] = set()
    attributes: set[str] = set()
    waiting = list(roots)
    while waiting:
        while waiting:
            path, name = each = waiting.pop()
            if each in seen:
                continue
            seen.add(each)
            # what modules do when they are imported
            if not name:
                waiting += [(file, "") for file, _ in parsed(path).imports.values()]
            definition = _definition(path, name)
            if definition is None:
                continue
            found[each] = definition
            attributes |= definition.attributes
            waiting += definition.units
            waiting.append((path, ""))
        # members of classes that were reached before somebody named them
        for (path, name), definition in found.items():
            used = definition.members
            if not definition.external:
                used = used & attributes
            members = {(path, f"{name}.{one}") for one in used}
            waiting += members - seen
    return found


def clear_caches() -> None:
    """Read all files again: they may have changed."""
    digest.cache_clear()
    parsed.cache_clear()
    _definition.cache_clear()
    _file.cache_clear()
    _silent.cache_clear()


@cache
def parsed(path: Path) -> Module:
    """Parse a module, and sort its statements by the names that they bind."""
    module = Module(path)
    for statement in ast.parse(path.read_text()).body:
        _sort(statement, module)
    return module


def _sort(statement: ast.stmt, module: Module) -> None:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        module.imports |= _imported(statement)
    elif isinstance(statement, ast.If) and _only_for_people(statement.test):
        for inner in statement.body:
            if isinstance(inner, ast.Import | ast.ImportFrom):
                module.imports |= _imported(inner)
        for inner in statement.orelse:
            _sort(inner, module)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        pass
    elif names := list(_bound(statement)):
        for name in names:
            module.definitions.setdefault(name, []).append(statement)
    else:
        module.effects.append(statement)


def _only_for_people(test: ast.expr) -> bool:
    """Whether a condition is `TYPE_CHECKING`, or that a module is run as a script."""
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    return bool(names & {"TYPE_CHECKING", "__name__"})


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement at the top level of a module or class binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@cache
def _file(module: str) -> Path | None:
    """File of a module of the package, given its name without that of the package."""
    path = PACKAGE / module.replace(".", "/")
    for file in (path.with_suffix(".py") if module else path, path / "__init__.py"):
        if file.is_file():
            return file
    return None


def _imported(
    node: ast.Import | ast.ImportFrom,
) -> dict[str, tuple[Path, str | None]]:
    """Map local names to what they name in the package."""
    found: dict[str, tuple[Path, str | None]] = {}
    if isinstance(node, ast.Import) or not node.module:
        return found
    package, _, name = node.module.partition(".")
    if package != PACKAGE.name:
        return found
    for alias in node.names:
        local = alias.asname or alias.name
        # a name may be a module itself: `from infoscope.theory import fisher`
        module = _file(f"{name}.{alias.name}".strip("."))
        if module is not None:
            found[local] = module, None
        elif (parent := _file(name)) is not None:
            found[local] = parent, alias.name
    return found


@cache
def _silent(path: Path) -> bool:
    return path.is_relative_to(PACKAGE) and (
        path.relative_to(PACKAGE).with_suffix("").as_posix() in SILENT
    )


@cache
def _definition(path: Path, name: str) -> Definition | None:
    """Describe a definition; the name "" stands for what a module does when imported.

    None if there is nothing that results depend on.
    """
    if _silent(path):
        return None
    module = parsed(path)
    if not name:
        effects = [_Reader(module).read(statement) for statement in module.effects]
        return _joined("", effects) if effects else None
    top, _, member = name.partition(".")
    if top not in module.definitions:
        # passed on from another module
        if top not in module.imports:
            return None
        target, original = module.imports[top]
        units = frozenset({(target, original)} if original else ())
        return Definition(_hash(["imported"]), units, frozenset())
    statements = module.definitions[top]
    if member:
        statements = [
            inner
            for statement in statements
            if isinstance(statement, ast.ClassDef)
            for inner in statement.body
            if member in _bound(inner)
        ]
    return _joined(name, [_Reader(module).read(each) for each in statements])


def _joined(name: str, definitions: list[Definition]) -> Definition | None:
    if not definitions:
        return None
    return Definition(
        _hash([name, *(each.digest for each in definitions)]),
        frozenset().union(*(each.units for each in definitions)),
        frozenset().union(*(each.attributes for each in definitions)),
        frozenset().union(*(each.members for each in definitions)),
        any(each.external for each in definitions),
    )


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


class _Reader:
    """Reads one statement of a module: its hash, and what it refers to."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.imports = dict(module.imports)
        self.units: set[Unit] = set()
        self.attributes: set[str] = set()

    def read(self, statement: ast.stmt) -> Definition:
        """Describe the statement."""
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imports |= _imported(node)
        members: frozenset[str] = frozenset()
        external = False
        if isinstance(statement, ast.ClassDef):
            configured, external = self._bases(statement)
            body, members = _split(statement, configured)
            if configured:
                self.units |= self._models_of_keys(statement)
            content = [
                self._plain([*statement.bases, *statement.keywords]),
                self._plain(statement.decorator_list),
                self._plain(body),
            ]
        else:
            content = self._plain(statement)
        return Definition(
            _hash(content),
            frozenset(self.units),
            frozenset(self.attributes),
            members,
            external,
        )

    def _bases(self, node: ast.ClassDef) -> tuple[bool, bool]:
        """Whether a class holds keys of the config, and whether a library calls it."""
        configured = external = False
        for base in node.bases:
            name = base.value if isinstance(base, ast.Subscript) else base
            if isinstance(name, ast.Attribute) or not isinstance(name, ast.Name):
                external = True
            elif name.id == "BaseModel":
                configured = True
            elif name.id in PLAIN_BASES:
                pass
            elif (target := self._target(name.id)) is None:
                external = True
            else:
                inner = parsed(target[0])
                for statement in inner.definitions.get(target[1], []):
                    if isinstance(statement, ast.ClassDef):
                        of_base = _Reader(inner)._bases(statement)
                        configured |= of_base[0]
                        external |= of_base[1]
        return configured, external

    def _models_of_keys(self, node: ast.ClassDef) -> set[Unit]:
        """Find the models that pydantic makes for the keys of a class of the config."""
        annotations = (
            inner.annotation for inner in node.body if isinstance(inner, ast.AnnAssign)
        )
        names = {
            name.id
            for annotation in annotations
            for name in ast.walk(annotation)
            if isinstance(name, ast.Name)
        }
        return {
            target
            for target in map(self._target, sorted(names))
            if target is not None and _is_model(*target)
        }

    def _target(self, name: str) -> Unit | None:
        """Resolve a global name to the definition of the package that it names."""
        if name in self.imports:
            path, original = self.imports[name]
            if original is None:
                return None
            seen = parsed(path)
            if original not in seen.definitions and original in seen.imports:
                return _Reader(seen)._target(original)
            return path, original
        if name in self.module.definitions:
            return self.module.path, name
        return None

    def _plain(self, node: Any) -> Any:
        """Turn a syntax tree into lists and strings, whatever Python's version."""
        if isinstance(node, list):
            return [self._plain(item) for item in node if not _is_report(item)]
        if not isinstance(node, ast.AST):
            return repr(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            return ["import"] if _imported(node) else ["import", ast.unparse(node)]
        if isinstance(node, ast.Raise):
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            return ["Raise", self._plain(error)]
        if isinstance(node, ast.Assert):
            return ["Assert", self._plain(node.test)]
        if isinstance(node, ast.AnnAssign):
            return ["Assign", self._plain(node.target), self._plain(node.value)]
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Call) and _calls(node, "getattr"):
            for argument in node.args:
                if isinstance(argument, ast.Constant):
                    self.attributes.add(str(argument.value))
        if isinstance(node, ast.Call) and self._reports(node):
            # what is counted in a log is what is worked on
            return self._plain(node.args[:1])
        fields = {
            name: self._plain(value)
            for name, value in ast.iter_fields(_without_comments(node))
            if value not in (None, [])
        }
        return [type(node).__name__, fields]

    def _name(self, node: ast.Name) -> Any:
        target = self._target(node.id)
        if target is None:
            if node.id in self.imports:
                return ["Module"]
            return ["Name", node.id]
        self.units.add(target)
        return ["Name", target[1]]

    def _attribute(self, node: ast.Attribute) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id in self.imports:
            path, original = self.imports[node.value.id]
            if original is None:
                target = path, node.attr
                seen = parsed(path)
                if node.attr not in seen.definitions and node.attr in seen.imports:
                    target = _Reader(seen)._target(node.attr) or target
                self.units.add(target)
                return ["Name", target[1]]
        self.attributes.add(node.attr)
        return ["Attribute", self._plain(node.value), node.attr]

    def _reports(self, node: ast.Call) -> bool:
        """Whether a function is called that only writes to a log."""
        if not isinstance(node.func, ast.Name):
            return False
        target = self._target(node.func.id)
        return target is not None and _silent(target[0])


def _split(
    node: ast.ClassDef, configured: bool
) -> tuple[list[ast.stmt], frozenset[str]]:
    """Split a class into statements that always count, and members that may be used.

    Keys of the config count where a spec has their values.
    """
    always: list[ast.stmt] = []
    members: set[str] = set()
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            if _is_dunder(statement.name):
                always.append(statement)
            elif not (configured and _is_validator(statement)):
                members.add(statement.name)
        elif isinstance(statement, ast.AnnAssign) and configured:
            if "ClassVar" in ast.unparse(statement.annotation) and statement.value:
                members |= set(_bound(statement))
        elif isinstance(statement, ast.Assign) and configured:
            members |= set(_bound(statement))
        elif not (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Constant)
        ):
            always.append(statement)
    return always, frozenset(members)


def _is_model(path: Path, name: str) -> bool:
    """Whether a definition is a class that holds keys of the config."""
    if _silent(path):
        return False
    module = parsed(path)
    return any(
        isinstance(each, ast.ClassDef) and _Reader(module)._bases(each)[0]
        for each in module.definitions.get(name, [])
    )


def _calls(node: ast.Call, name: str) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == name


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_validator(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("validator" in ast.unparse(each) for each in node.decorator_list)


def _is_report(node: Any) -> bool:
    """Whether a statement is a docstring, or writes a line to a log or the screen."""
    if not isinstance(node, ast.Expr):
        return False
    if isinstance(node.value, ast.Constant):
        return True
    if not isinstance(node.value, ast.Call):
        return False
    function = node.value.func
    if isinstance(function, ast.Name):
        return function.id in ("log", "print")
    return (
        isinstance(function, ast.Attribute)
        and function.attr in LOG_METHODS | {"warn"}
        and isinstance(function.value, ast.Name)
        and function.value.id in LOGGERS
    )


def _without_comments(node: ast.AST) -> ast.AST:
    """Remove annotations and descriptions of config keys from a copy of a node."""
    left = {
        name: value
        for name, value in ast.iter_fields(node)
        if name not in ("annotation", "returns", "type_comment")
    }
    if isinstance(node, ast.Call):
        left["keywords"] = [each for each in node.keywords if each.arg != "description"]
    return type(node)(**left)
