"""The examples of docs/extending.md, applied to a copy of the repository and run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pandas as pd
import pytest
import yaml

from .conftest import ROOT, Checkout

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/extending.md").read_text()
# the modules of each example, and other files that it edits
PLACES = {
    "estimator": ["workflow/infoscope/estimators/kinds/plain.py"],
    "simulator": ["workflow/infoscope/skies/simulators/quadratic.py"],
    "effect": ["workflow/infoscope/effects/kinds/shear_calibration.py"],
    "figure": ["workflow/infoscope/figures/scores.py", "workflow/rules/report.smk"],
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


def modules() -> dict[str, str]:
    """Return the files that the page shows in full, by name."""
    names = re.findall(r"`((?:workflow|tests)/\S+\.py)`[^`]*```python", PAGE)
    return dict(zip(names, blocks("python"), strict=True))


def apply(diff: str, folder: Path) -> list[str]:
    """Apply a diff without line numbers, each part of which must fit in one place.

    Parts are separated by `@@`, and files by their names. The names are returned.
    """
    names = []
    for name, parts in re.findall(r"^--- (\S+)\n(.*?)(?=^--- |\Z)", diff, re.M | re.S):
        text = (folder / name).read_text()
        for part in parts.split("@@\n"):
            # editors remove the space in an empty line
            lines = [line or " " for line in part.splitlines()]
            assert {line[0] for line in lines} <= set("+- "), part
            old, new = (
                "".join(f"{line[1:]}\n" for line in lines if line[0] in signs)
                for signs in (" -", " +")
            )
            assert text.count(old) == 1, f"{name}:\n{old}"
            text = text.replace(old, new)
        (folder / name).write_text(text)
        names.append(name)
    return names


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout with all additions of the page, and a study that uses them."""
    checkout = Checkout(tmp_path_factory.mktemp("extended") / "infoscope")
    shutil.copytree(
        ROOT / "tests",
        checkout.folder / "tests",
        ignore=shutil.ignore_patterns("workflow", "science", "__pycache__"),
    )
    for diff in blocks("diff"):
        apply(diff, checkout.folder)
    for name, text in modules().items():
        (checkout.folder / name).write_text(text)
    for study in map(yaml.safe_load, blocks("yaml")):
        if "survey" in study:
            study["survey"] = checkout.config["survey"] | study["survey"]
        checkout.config |= study
    checkout.config["claims"] = []
    checkout.environ["PYTHONPATH"] = str(checkout.folder / "workflow")
    return checkout


def run(extended: Checkout, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=extended.folder,
        env=extended.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_addition_touches_one_place(tmp_path: Path) -> None:
    """Additions are a module, or a module and a rule for a figure."""
    edited = re.findall(r"^--- (\S+)$", "\n".join(blocks("diff")), re.M)
    added = [name for name in modules() if name.startswith("workflow")]
    expected = [name for names in PLACES.values() for name in names]
    assert sorted(added + edited) == sorted(expected)


def test_their_tests_pass(extended: Checkout) -> None:
    added = [name for name in modules() if name.startswith("tests")]
    assert len(added) == 4
    text = run(extended, "pytest", "-q", "-p", "no:cacheprovider", *added)
    assert "4 passed" in text


def test_code_is_as_lint_wants_it(extended: Checkout) -> None:
    shutil.copy(ROOT / "pyproject.toml", extended.folder)
    run(extended, "ruff", "check", ".")
    run(extended, "ruff", "format", "--check", ".")


def test_keys_are_documented(extended: Checkout) -> None:
    run(extended, "infoscope.study.document_config")
    reference = (extended.folder / "config/README.md").read_text()
    for section in ("Plain", "Quadratic", "ShearCalibration"):
        assert f"## {section}\n" in reference


def test_a_study_uses_all_of_it(extended: Checkout) -> None:
    """The study uses the additions from the config to the report."""
    text = extended.snakemake("--cores", "2")
    assert extended.returncode == 0, text
    results = extended.folder / "results/ci"
    with h5py.File(
        results / "training/without_peaks/small/seed_0/summaries.h5"
    ) as file:
        assert yaml.safe_load(file.attrs["spec"])["estimator"]["kind"] == "plain"
    with h5py.File(results / "datasets/reference.h5") as file:
        assert '["m"]' in file["test/nuisance"].attrs["names"]
    widths = pd.read_csv(results / "widths.csv")
    assert set(widths.estimator) == {"small"}
    assert (results / "figures/scores.png").stat().st_size > 10_000
    page = (results / "report/summary.html").read_text()
    assert "quadratic non-Gaussianity" in page and "m from -0.05 to 0.05" in page
    report = extended.folder / "report.zip"
    text = extended.snakemake("--report", report.name)
    assert extended.returncode == 0 and report.stat().st_size > 10_000, text
    assert "train_estimator" in run(extended, "infoscope", "plan", "study.yaml")
