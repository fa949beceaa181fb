"""Metadata of the package agree in all files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def test_python_versions() -> None:
    (job,) = read(".github/workflows/ci.yml")["jobs"].values()
    tested = job["strategy"]["matrix"]["python"]
    (tried,) = re.findall(r"for version in (.+) 3; do", MAKEFILE)
    assert tried.split() == tested[::-1]
    (bounds,) = re.findall(r"\(3, (\d+)\) <= .* < \(3, (\d+)\)", MAKEFILE)
    assert tested == [f"3.{minor}" for minor in range(*map(int, bounds))]
    assert SpecifierSet(PROJECT["requires-python"]) == SpecifierSet(f">={tested[0]}")
    # one lock serves all of them
    assert f"--universal --python-version {tested[0]} " in MAKEFILE
    readme = (ROOT / "README.md").read_text()
    assert f"Python {tested[0]}–{tested[-1]}" in readme


def test_github_runs_the_checks_with_the_python_of_the_matrix() -> None:
    (job,) = read(".github/workflows/ci.yml")["jobs"].values()
    (step,) = [step for step in job["steps"] if "run" in step]
    assert step["run"] == ".ci/run" and (ROOT / ".ci/run").stat().st_mode & 0o100
    assert step["env"] == {"PYTHON": "python${{ matrix.python }}"}
    assert "\nPYTHON ?= " in MAKEFILE


def test_citation() -> None:
    citation = read("CITATION.cff")
    assert citation["title"] == PROJECT["name"]
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


def test_what_the_catalog_of_workflows_wants() -> None:
    """Its README lists files, and the keys of the last one."""
    for name in ("workflow/Snakefile", "config/README.md", "README.md"):
        assert (ROOT / name).is_file()
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme
    usage = read(".snakemake-workflow-catalog.yml")["usage"]
    assert set(usage) == {"software-stack-deployment", "report"}
    deployment = usage["software-stack-deployment"]
    assert deployment.pop("conda") and not any(deployment.values())
