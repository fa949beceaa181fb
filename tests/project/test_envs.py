"""Conda environments hold what their rules import, as pyproject.toml has it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from infoscope.cli import figure_names, stage_names
from infoscope.skies.simulate import MODULES
from infoscope.study import digests

ROOT = Path(__file__).parents[2]
ENVS = sorted(path.stem for path in (ROOT / "envs").glob("*.yaml"))
# packages that conda-forge splits: the part that is needed
SPLIT = {
    "astropy-base": "astropy",
    "matplotlib-base": "matplotlib",
    "seaborn-base": "seaborn",
}
# modules of packages that are called otherwise
PACKAGES = {
    "orbax": "orbax-checkpoint",
    "pydantic_core": "pydantic",
    "yaml": "pyyaml",
}


def env(name: str) -> dict[str, SpecifierSet]:
    """Packages of an environment and their versions, under the names of pyproject."""
    entries = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())["dependencies"]
    pairs = (entry.split(" ") for entry in entries)
    return {
        SPLIT.get(package, package): SpecifierSet(versions)
        for package, versions in pairs
    }


def rules() -> dict[str, tuple[str, list[str]]]:
    """Environment of each rule, and the modules that its jobs run.

    Rules that take over both from another one are left out.
    """
    found = {}
    figures = {}
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for rule in re.split(r"^(?=(?:use )?rule )", path.read_text(), flags=re.M)[1:]:
            if name := re.match(r"use rule figure as (\w+) with:", rule):
                (figure,) = re.findall(r'figure="(\w+)"', rule)
                figures[f"{path.stem}.{name[1]}"] = ["stages.plot", f"figures.{figure}"]
            elif name := re.match(r"rule (\w+):", rule):
                (conda,) = re.findall(r'"\.\./\.\./envs/(\w+)\.yaml"', rule)
                commands = re.findall(r"python -m infoscope ([a-z-]+)", rule)
                modules = [f"stages.{name.replace('-', '_')}" for name in commands]
                # two files have the rule simulate_skies
                found[f"{path.stem}.{name[1]}"] = (conda, modules)
    conda, _ = found.pop("figure.figure")
    return found | {rule: (conda, modules) for rule, modules in figures.items()}


@cache
def imported(module: str) -> set[str]:
    """Packages that a module of the package imports, at once or later, and all of it.

    Those of the command line are included.
    """
    # no job plans
    waiting, seen = ["__init__", "__main__", module], {"run.plan", "run.status"}
    if module == "stages.simulate_skies":
        waiting += [f"skies.{name}" for name in MODULES.values()]
    packages: set[str] = set()
    while waiting:
        name = waiting.pop().strip(".")
        folder = digests.PACKAGE / name.replace(".", "/")
        files = [folder.with_suffix(".py"), folder / "__init__.py"]
        existing = [file for file in files if file.exists()]
        if name in seen or not existing:
            continue
        seen.add(name)
        waiting.append(name.rpartition(".")[0])
        tree = Running().visit(ast.parse(existing[0].read_text()))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                packages |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                package, _, inside = str(node.module).partition(".")
                packages.add(package)
                if package == "infoscope":
                    # a name may be a module
                    names = [alias.name for alias in node.names]
                    waiting += [inside, *(f"{inside}.{name}" for name in names)]
    packages -= {"infoscope", *sys.stdlib_module_names}
    return {PACKAGES.get(package, package) for package in packages}


class Running(ast.NodeTransformer):
    """Leave out what only type checkers read."""

    def visit_If(self, node: ast.If) -> ast.If | None:
        only_types = ast.unparse(node.test) == "TYPE_CHECKING"
        return None if only_types else node


def needed(rule: str) -> set[str]:
    _, modules = rules()[rule]
    return {"python"}.union(*map(imported, modules))


def test_every_stage_and_figure_has_a_rule() -> None:
    stages = {f"stages.{name.replace('-', '_')}" for name in stage_names()}
    figures = {f"figures.{name}" for name in figure_names()}
    run = {module for _, modules in rules().values() for module in modules}
    assert run == stages | figures


@pytest.mark.parametrize("name", ENVS)
def test_channels(name) -> None:
    content = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())
    assert content["channels"] == ["conda-forge", "nodefaults"]


@pytest.mark.parametrize("name", ENVS)
def test_versions_are_those_of_the_package(name) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = {
        need.name: need.specifier for need in map(Requirement, project["dependencies"])
    }
    packages = env(name)
    python = packages.pop("python")
    assert packages == {package: known[package] for package in packages}
    # the package may be installed with a newer Python than is tested
    assert python == SpecifierSet(project["requires-python"]) & SpecifierSet("<3.14")
    assert "(3, 11) <= sys.version_info < (3, 14)" in (ROOT / "Makefile").read_text()


def test_environments_hold_what_their_rules_import_and_no_more() -> None:
    wanted = defaultdict(set)
    for rule, (name, _) in rules().items():
        wanted[name] |= needed(rule)
    assert {name: set(env(name)) for name in ENVS} == wanted


@pytest.mark.parametrize("rule", rules())
def test_rules_name_the_smallest_environment_that_serves_them(rule) -> None:
    serve = [name for name in ENVS if needed(rule) <= set(env(name))]
    assert rules()[rule][0] == min(serve, key=lambda name: len(env(name)))
