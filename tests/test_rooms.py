"""The rooms of the package: each may only import from rooms below."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "workflow" / "infoscope"
# from the lowest floor; rooms on the same floor do not import from each other
FLOORS = [
    {"vocabulary", "models", "errors", "seeds", "eta", "maps"},
    {"registry"},
    {"cosmology"},
    {"survey", "files", "inference"},
    {"effects"},
    {"estimators", "skies", "degradations"},
    {"results", "theory", "attribution"},
    {"report", "figures", "study"},
    {"run"},
    {"stages"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the modules that a module imports, each with an imported name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found = [(node.module, alias.name) for alias in node.names]
        else:
            continue
        for module, name in found:
            package, _, inside = module.partition(".")
            if package == "infoscope":
                full = f"{inside}.{name}".strip(".")
                yield (full if full in MODULES else inside), name


ARROWS = sorted(
    (module, target, name)
    for module, path in MODULES.items()
    if module
    for target, name in imports(path)
)


def test_every_room_has_a_floor() -> None:
    assert {module.partition(".")[0] for module in MODULES} - {""} == set(FLOOR)


def test_rooms_import_only_from_rooms_below() -> None:
    upwards = [
        f"{module} imports {name or target} from {target}"
        for module, target, name in ARROWS
        if (room := module.partition(".")[0]) != (below := target.partition(".")[0])
        and FLOOR[below] >= FLOOR[room]
    ]
    assert not upwards, "\n".join(upwards)


def test_no_module_imports_itself_through_others() -> None:
    targets: dict[str, set[str]] = {module: set() for module in MODULES}
    for module, target, _ in ARROWS:
        targets[module].add(target)

    def reached(module: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(targets[module])
        while waiting:
            if (each := waiting.pop()) not in seen:
                seen.add(each)
                waiting += targets[each]
        return seen

    circles = sorted(module for module in MODULES if module in reached(module))
    assert not circles, f"in a circle of imports: {circles}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_say_what_they_are(module: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[module].read_text()))
