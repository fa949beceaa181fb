"""A user-defined operation in a file is treated like a built-in operation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infoscope.degradations import Operation, Patches
from infoscope.degradations.degrade import degrade
from infoscope.errors import InfoscopeError
from infoscope.study import digests, specs
from infoscope.study.config import Study, parse_study

PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
(OWN,) = (text for text in EXAMPLES if "class Clip(" in text)


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    models = Operation.registry.models
    before = dict(models)
    yield
    models.clear()
    models.update(before)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "clip.py"
    path.write_text(OWN)
    return path


def study(own: Path, *operations: dict[str, Any]) -> Study:
    return parse_study(
        {
            "study": "x",
            "operation_files": [str(own)],
            "degradations": {
                "reference": {},
                "own": {"operations": list(operations)},
                "built_in": {"operations": [{"operation": "sum_bins"}]},
            },
        }
    )


def test_it_is_applied(own: Path, patches: Patches) -> None:
    at = 0.5 * float(patches.kappa.std())
    chosen = study(own, {"operation": "clip", "at": at}).degradations["own"]
    rngs = [np.random.default_rng(i) for i in range(2)]
    tiles = degrade(patches, chosen.operations, "none", [{}], *rngs)
    expected = np.minimum(patches.kappa, at)
    assert np.allclose(np.moveaxis(tiles, -1, 0), expected, rtol=0, atol=1e-8)


def test_other_examples_of_the_page_run() -> None:
    others = [text for text in EXAMPLES if text != OWN]
    assert others
    for text in others:
        names: dict[str, Any] = {}
        exec(text, names)
        assert names["kept"].shape == names["kappa"].shape


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"operation": "clip"}, "degradations.own.operations.0.at: is missing"),
        ({"operation": "clip", "at": -1}, "degradations.own.operations.0.at: Input"),
        ({"operation": "clip", "at": 1, "b": 2}, "operations.0.b: unknown key"),
        ({"operation": "clib", "at": 1}, "unknown operation 'clib'; choose from"),
    ],
)
def test_its_parameters_are_validated(own: Path, operation, message: str) -> None:
    with pytest.raises(InfoscopeError) as caught:
        study(own, operation)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    if "clib" in message:
        assert "'clip'" in str(caught.value) and "'lowpass'" in str(caught.value)


def test_only_what_uses_it_depends_on_its_code(own: Path) -> None:
    def codes() -> tuple[str, str]:
        digests.clear_caches()
        new = study(own, {"operation": "clip", "at": 1})
        return specs.degrade_code(new, "own"), specs.degrade_code(new, "built_in")

    first = codes()
    own.write_text("# a comment\n" + OWN.replace("Largest value.", "Highest value."))
    assert codes() == first
    own.write_text(OWN.replace("np.minimum", "np.maximum"))
    changed = codes()
    assert changed[0] != first[0] and changed[1] == first[1]
    new = study(own, {"operation": "clip", "at": 1})
    assert [path.name for path in specs.operation_files(new, "own")] == ["clip.py"]
    assert specs.operation_files(new, "built_in") == []


def test_constants_depend_on_the_fit_and_on_what_is_before_it(own: Path) -> None:
    """Tiles depend on constants by their values, not on the code of the fit."""
    fitting = OWN + (
        "\n    def fit(self, patches: Patches) -> Constants:\n"
        '        """Fit."""\n'
        '        return {"sigma": patches.kappa.std(axis=(1, 2, 3))}\n'
    )

    def codes(text: str) -> tuple[str, str]:
        own.write_text(text)
        digests.clear_caches()
        new = study(own, {"operation": "clip", "at": 1})
        assert specs.fitted(new) == ["own"]
        return specs.fit_code(new, "own"), specs.degrade_code(new, "own")

    first = codes(fitting)
    fit, tiles = codes(fitting.replace("std(", "mean("))
    assert fit != first[0] and tiles == first[1]
    fit, tiles = codes(fitting.replace("np.minimum", "np.maximum"))
    assert fit != first[0] and tiles != first[1]
    assert codes(fitting.replace("Fit.", "Measure.")) == first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("x = 1\n", "defines no operation"),
        ("x = 1\ny = z\n", "line 2: NameError: name 'z' is not defined"),
        ("def f(:\n", "SyntaxError"),
        (OWN.replace('"clip"', '"lowpass"'), "already"),
        (OWN.replace(' = "clip"', ""), "ValueError: Clip has no name"),
    ],
)
def test_bad_file_is_one_line(own: Path, text: str | None, message: str) -> None:
    if text is None:
        own.unlink()
    else:
        own.write_text(text)
    with pytest.raises(InfoscopeError) as caught:
        study(own, {"operation": "clip", "at": 1})
    assert str(caught.value).startswith(f"operation_files: {own}")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_files_must_be_a_list() -> None:
    with pytest.raises(InfoscopeError, match="operation_files"):
        parse_study({"study": "x", "operation_files": 3, "degradations": {}})
