"""Digests cover the code on which results depend, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infoscope.study import digests

# two stages: one uses f through another module, the other a constant and a class
PACKAGE = {
    "stages/one.py": "from infoscope.room.m import f\n\ndef run():\n    return f(2)\n",
    "stages/two.py": (
        "from infoscope.room import m\nfrom infoscope.room.k import Kind\n\n"
        "def run(kind: Kind):\n    return m.CONSTANT * kind.value()\n"
    ),
    "room/__init__.py": "",
    "room/m.py": (
        "import logging\n\nfrom infoscope.errors import Problem\n\n"
        "log = logging.getLogger(__name__)\nCONSTANT = 3\nOTHER = 5\n\n"
        "def f(x: int) -> int:\n"
        '    """Double."""\n'
        "    if x < 0:\n"
        "        raise Problem(f'{x} is negative')\n"
        "    log.info('doubling %d', x)\n"
        "    return 2 * helper(x)\n\n"
        "def helper(x):\n    return x + 1\n\n"
        "def unused(x):\n    return x\n"
    ),
    "room/k.py": (
        "from pydantic import BaseModel, Field\n\n"
        "class Kind(BaseModel):\n"
        "    size: int = Field(3, description='Size.')\n\n"
        "    def value(self):\n        return self.size\n\n"
        "    def cost(self):\n        return 7\n"
    ),
    "errors.py": "class Problem(Exception):\n    pass\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "infoscope"
    for name, text in PACKAGE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(digests, "PACKAGE", folder)
    digests.clear_caches()
    yield folder
    digests.clear_caches()


def both(package: Path) -> tuple[str, str]:
    digests.clear_caches()
    kind = (package / "room/k.py", "Kind")
    return (
        digests.digest(digests.unit("stages.one", "run")),
        digests.digest(digests.unit("stages.two", "run"), kind),
    )


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(package: Path) -> None:
        text = (package / name).read_text()
        assert old in text
        (package / name).write_text(text.replace(old, new))

    return edit


def moved(package: Path) -> None:
    """Rename a module and its room."""
    (package / "room").rename(package / "hall")
    (package / "hall/m.py").rename(package / "hall/mathematics.py")
    for path in package.rglob("*.py"):
        text = path.read_text().replace("infoscope.room", "infoscope.hall")
        text = text.replace("hall.m import", "hall.mathematics import")
        text = text.replace("hall import m\n", "hall import mathematics\n")
        text = text.replace("m.CONSTANT", "mathematics.CONSTANT")
        path.write_text(text)


@pytest.mark.parametrize(
    "edit",
    [
        replaced("room/m.py", "def f", "# why\ndef f"),
        replaced("room/m.py", "Double.", "Twice."),
        replaced("room/m.py", "x: int", "x: float"),
        replaced("room/m.py", " is negative", " is below zero"),
        replaced("room/m.py", "doubling", "two times"),
        replaced("room/m.py", "    return x\n", "    return 3 * x\n"),
        replaced("room/m.py", "OTHER = 5", "OTHER = 6"),
        replaced("room/k.py", "Size.", "Length."),
        replaced("room/k.py", "return 7", "return 8"),
        replaced("errors.py", "pass", "code = 2"),
    ],
    ids=[
        "comment", "docstring", "annotation", "error", "log", "unused function",
        "unused constant", "description", "unused method", "class of an error",
    ],
)  # fmt: skip
def test_nothing_changes(package: Path, edit: Callable[[Path], None]) -> None:
    before = both(package)
    edit(package)
    assert both(package) == before


def test_nothing_changes_when_modules_move(package: Path) -> None:
    before = both(package)
    moved(package)
    digests.clear_caches()
    kind = (package / "hall/k.py", "Kind")
    assert before == (
        digests.digest(digests.unit("stages.one", "run")),
        digests.digest(digests.unit("stages.two", "run"), kind),
    )


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        (replaced("room/m.py", "x + 1", "x + 2"), (True, False)),
        (replaced("room/m.py", "2 * helper", "3 * helper"), (True, False)),
        (replaced("room/m.py", "x < 0", "x < 1"), (True, False)),
        (replaced("room/m.py", "CONSTANT = 3", "CONSTANT = 4"), (False, True)),
        (replaced("room/k.py", "self.size\n", "self.size + 1\n"), (False, True)),
        (replaced("stages/one.py", "f(2)", "f(3)"), (True, False)),
    ],
    ids=["imported function", "formula", "condition", "constant", "method", "stage"],
)
def test_what_uses_it_changes(
    package: Path, edit: Callable[[Path], None], changed: tuple[bool, bool]
) -> None:
    before = both(package)
    edit(package)
    after = both(package)
    assert tuple(a != b for a, b in zip(before, after, strict=True)) == changed


def test_what_a_module_does_when_it_is_imported_counts(package: Path) -> None:
    before = both(package)
    replaced("room/m.py", "CONSTANT = 3", "CONSTANT = 3\nconfigure(x64=True)\n")(
        package
    )
    after = both(package)
    assert after[0] != before[0] and after[1] != before[1]


def test_names_that_are_passed_on_are_followed(package: Path) -> None:
    replaced("room/__init__.py", "", "from infoscope.room.m import f\n")(package)
    replaced("stages/one.py", "infoscope.room.m import", "infoscope.room import")(
        package
    )
    before = both(package)
    replaced("room/m.py", "x + 1", "x + 2")(package)
    assert both(package)[0] != before[0]


def test_models_in_keys_of_a_model_are_followed(package: Path) -> None:
    """Pydantic makes them, and only an annotation names them."""
    inner = (
        "class Inner(BaseModel):\n    size: int = 2\n\n"
        "    def value(self):\n        return 5\n\n"
        "    def cost(self):\n        return 9\n\n"
    )
    replaced("room/k.py", "class Kind", inner + "class Kind")(package)
    replaced(
        "room/k.py", "    size: int = F", "    in_it: Inner | None\n    size: int = F"
    )(package)
    before = both(package)
    replaced("room/k.py", "return 9", "return 8")(package)
    assert both(package) == before
    replaced("room/k.py", "return 5", "return 6")(package)
    assert both(package)[1] != before[1]


def test_a_stage_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no module stages\.none"):
        digests.unit("stages.none", "run")
