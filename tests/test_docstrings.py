"""Examples in docstrings give what they show."""

from __future__ import annotations

import doctest
import importlib

import pytest

from .test_rooms import MODULES

TEXTS = {module: path.read_text() for module, path in MODULES.items()}
WITH_EXAMPLES = sorted(module for module, text in TEXTS.items() if ">>> " in text)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"infoscope.{module}"))
    assert found.failed == 0
    # none is in a docstring that is not looked at
    assert found.attempted == TEXTS[module].count(">>> ")


def test_there_are_examples() -> None:
    assert len(WITH_EXAMPLES) > 10
