"""Pages name files that exist, and words that the program uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infoscope import comparison, convergence, inference

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]
FOLDERS = "benchmarks|config|docs|envs|profiles|resources|tests|workflow"
# what somebody makes who follows a page
OWN = {
    "config/studies/small.yaml",
    "envs/train.linux-64.pin.txt",
    "tests/unit/test_quadratic.py",
    "workflow/infoscope/simulators/quadratic.py",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_exist(page: Path) -> None:
    named = re.findall(rf"(?<![\w/])((?:{FOLDERS})/[\w./-]*\w)", page.read_text())
    for name in set(named) - OWN:
        assert (page.parent / name).exists() or (ROOT / name).exists(), name


def test_words_of_the_tables_are_explained() -> None:
    text = (ROOT / "docs/reading.md").read_text()
    explained = set()
    for cell in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", text, re.M):
        explained |= set(re.findall(r"\w+", cell))
    assert explained == {
        *(convergence.verdict(*numbers) for numbers in ((0, 0, 0), (1, 0, 0))),
        convergence.verdict(0, 1, 0),
        *(inference.CALIBRATED, inference.CORRECTED, inference.WITHHELD),
        *(comparison.WIDER, comparison.NARROWER),
        *(comparison.EQUIVALENT, comparison.UNDECIDED),
        *("convergence", "calibration", "verdict"),
    }
