"""Profiles agree with the rules and with each other."""

from __future__ import annotations

import re
from typing import Any

import yaml

from .conftest import ROOT


def profile(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())


def test_slurm_names_rules_that_exist() -> None:
    text = "".join(path.read_text() for path in ROOT.glob("workflow/rules/*.smk"))
    rules = set(re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)", text, re.M))
    slurm = profile("slurm")
    named = {*slurm["slurm-array-jobs"].split(", "), *slurm["set-resources"]}
    assert len(named) > 3 and named <= rules


def test_slurm_differs_from_default_in_what_concerns_a_cluster() -> None:
    default, slurm = profile("default"), profile("slurm")
    for option in set(default) - {"resources", "set-resource-scopes"}:
        assert slurm[option] == default[option], option


def test_nothing_holds_jobs_back_that_an_array_waits_for() -> None:
    """With a limit or the default rate (100 per second), some are never submitted."""
    slurm = profile("slurm")
    assert slurm["slurm-array-jobs"] and slurm["jobs"] == "unlimited"
    assert "resources" not in slurm
    rate, _ = slurm["max-jobs-per-timespan"].split("/")
    assert int(rate) >= 1_000_000


def test_readme_explains_every_line() -> None:
    readme = (ROOT / "profiles/README.md").read_text()
    slurm, default = profile("slurm"), profile("default")
    options = {*slurm, *slurm["default-resources"]}
    for resources in slurm["set-resources"].values():
        options |= {*resources}
    for option in options - set(default):
        assert f"`{option}" in readme, option
