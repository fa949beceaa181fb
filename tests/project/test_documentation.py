"""Pages name existing files and commands."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from infoscope.estimators import stopping
from infoscope.study.config import parse_study
from infoscope.vocabulary import Calibration, Verdict

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]
FOLDERS = "benchmarks|config|docs|envs|profiles|resources|tests|workflow"
# what somebody makes who follows a page
EXTENDING = (ROOT / "docs/extending.md").read_text()
OWN = {
    "config/studies/small.yaml",
    "envs/train.linux-64.pin.txt",
    *re.findall(r"`((?:workflow|tests)/\S+\.py)`[^`]*```python", EXTENDING),
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
        *(stopping.verdict(*numbers) for numbers in ((0, 0, 0), (1, 0, 0))),
        stopping.verdict(0, 1, 0),
        *Calibration,
        *(Verdict.WIDER, Verdict.NARROWER, Verdict.EQUIVALENT, Verdict.UNDECIDED),
        *(Verdict.RESHAPED, Verdict.IMPOSSIBLE),
        *("training_verdict", "calibration", "verdict"),
    }


def test_page_of_the_laptop_study_has_the_numbers_of_its_tables() -> None:
    text = (ROOT / "docs/laptop.md").read_text()
    widths = pd.read_csv(ROOT / "docs/laptop/widths.csv")
    claims = pd.read_csv(ROOT / "docs/laptop/claims.csv")
    config = yaml.safe_load((ROOT / "config/studies/laptop.yaml").read_text())
    study = parse_study(config)
    assert set(widths.degradation) == set(study.degradations)
    assert list(claims.claim.unique()) == [one.claim for one in study.claims]
    expected = []
    for _, both in widths[widths.metric == "sigma_s8"].groupby("label", sort=False):
        cells = []
        for row in both.itertuples():
            if row.verdict == "reference":
                cells.append(f"σ = {row.value:.4f} ± {row.error:.4f}")
                continue
            digits = 1 if row.ratio > 3 else 3
            ratio = f"{row.ratio:.{digits}f} ± {row.ratio_error:.{digits}f}"
            learned = (
                ""
                if row.training_verdict == "trained"
                else f" ({row.training_verdict})"
            )
            cells.append(f"{ratio} `{row.verdict}`{learned}")
        expected.append(" | ".join([both.label.iloc[0], *cells]))
    missing = [line for line in expected if f"| {line} |" not in text]
    assert not missing, missing
    for row in claims.itertuples():
        assert f"`{row.claim_verdict}`" in text
