"""The examples of docs/extending.md, applied to a copy of the repository and run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
import yaml

from .conftest import ROOT, Checkout

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/extending.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


def apply(diff: str, folder: Path) -> None:
    """Replace what a diff without line numbers shows; each part has to fit one place.

    Parts are separated by `@@`, and files by their names.
    """
    for name, parts in re.findall(r"^--- (\S+)\n(.*?)(?=^--- |\Z)", diff, re.M | re.S):
        text = (folder / name).read_text()
        for part in parts.split("@@\n"):
            lines = part.splitlines(keepends=True)
            assert {line[0] for line in lines} <= set("+- "), part
            old, new = (
                "".join(line[1:] for line in lines if line[0] in marks)
                for marks in (" -", " +")
            )
            assert text.count(old) == 1, f"{name}:\n{old}"
            text = text.replace(old, new)
        (folder / name).write_text(text)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with everything that the page adds, and a study that uses it."""
    checkout = Checkout(tmp_path_factory.mktemp("extended") / "infoscope")
    (checkout.folder / "tests/unit").mkdir(parents=True)
    for name in ("networks", "flops"):
        path = f"tests/unit/test_{name}.py"
        shutil.copy(ROOT / path, checkout.folder / path)
    for diff in blocks("diff"):
        apply(diff, checkout.folder)
    names = re.findall(r"`((?:workflow|tests)/\S+\.py)`[^`]*```python", PAGE)
    for name, text in zip(names, blocks("python"), strict=True):
        (checkout.folder / name).write_text(text)
    for study in blocks("yaml"):
        checkout.config |= yaml.safe_load(study)
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


def test_their_tests_pass(extended: Checkout) -> None:
    # the compiler takes long for the networks that were there before
    added = "plain or proper_gaussian or without_the_square"
    text = run(extended, "pytest", "-q", "-p", "no:cacheprovider", "-k", added, "tests")
    assert "6 passed" in text


def test_code_is_as_lint_wants_it(extended: Checkout) -> None:
    shutil.copy(ROOT / "pyproject.toml", extended.folder)
    run(extended, "ruff", "check", ".")
    run(extended, "ruff", "format", "--check", ".")


def test_keys_are_documented(extended: Checkout) -> None:
    run(extended, "infoscope.study.document_config")
    reference = (extended.folder / "config/README.md").read_text()
    assert "## PlainConfig" in reference and "## QuadraticConfig" in reference


def test_a_study_uses_all_of_it(extended: Checkout) -> None:
    target = "results/ci/training/without_peaks/small/seed_0/summaries.h5"
    text = extended.snakemake("--cores", "2", target)
    assert extended.returncode == 0, text
    with h5py.File(extended.folder / target) as file:
        spec = yaml.safe_load(file.attrs["spec"])
        assert spec["estimator"]["kind"] == "plain"
        assert file["test/summary"].shape[-1] == 2
    assert "train_estimator" in run(extended, "infoscope", "plan", "study.yaml")
