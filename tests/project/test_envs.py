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

import infoscope.study.config  # noqa: F401, registers the models
from infoscope.cli import figure_names, stage_names
from infoscope.degradations.operation import Operation
from infoscope.effects.effect import EFFECTS
from infoscope.estimators.estimator import Estimator
from infoscope.models import Model, file_of
from infoscope.skies.simulator import Simulator
from infoscope.study import digests

ROOT = Path(__file__).parents[2]
SIMULATORS, OPERATIONS, ESTIMATORS = (
    list(choice.registry.models.values())
    for choice in (Simulator, Operation, Estimator)
)
# models of the config that stages call
MODELS: dict[str, list[type[Model]]] = {
    "stages.simulate_skies": [*SIMULATORS, *EFFECTS.values()],
    "stages.degrade_maps": [*OPERATIONS, *EFFECTS.values()],
    "stages.fit_constants": [*OPERATIONS, *EFFECTS.values()],
    "stages.train_estimator": ESTIMATORS,
    "stages.attribute_estimates": ESTIMATORS,
    "stages.forecast_fisher": [*OPERATIONS, *EFFECTS.values()],
}
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
    """Packages that a job imports: those of the modules, and what it calls, imports.

    The command line is included. A stage calls the models of the config that it uses.
    """
    function = "draw" if module.startswith("figures.") else "run"
    models = [(file_of(model), model.__name__) for model in MODELS.get(module, [])]
    packages: set[str] = set()
    waiting, seen = ["", "__main__", module], set()
    for unit in digests.reached([digests.unit(module, function), *models]):
        for node in definition(*unit):
            waiting += packages_and_modules(node, packages)
    while waiting:
        path = digests._file(name := waiting.pop())
        if path is None or name in seen:
            continue
        seen.add(name)
        if name:
            waiting.append(name.rpartition(".")[0])
        text = path.read_text()
        if "\nimport_all(__name__" in text:
            waiting += [f"{name}.{file.stem}" for file in path.parent.glob("*.py")]
        for node in Importing().visit(ast.parse(text)).body:
            waiting += packages_and_modules(node, packages)
    packages -= {"infoscope", *sys.stdlib_module_names}
    return {PACKAGES.get(package, package) for package in packages}


def definition(path: Path, name: str) -> list[ast.stmt]:
    """Statements of a definition; members of a class are definitions of their own."""
    top, _, member = name.partition(".")
    found = digests.parsed(path).definitions.get(top, [])
    if member:
        inner = [one for each in found for one in getattr(each, "body", [])]
        return [one for one in inner if getattr(one, "name", None) == member]
    return [each for each in found if not isinstance(each, ast.ClassDef)]


def packages_and_modules(node: ast.AST, packages: set[str]) -> list[str]:
    """Add the packages that a statement imports, and return modules of this one."""
    modules = []
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in one.names}
        if isinstance(one, ast.ImportFrom):
            package, _, inside = str(one.module).partition(".")
            packages.add(package)
            if package == "infoscope":
                # a name may be a module
                names = [f"{inside}.{alias.name}".strip(".") for alias in one.names]
                modules += [inside, *names]
    return modules


class Importing(ast.NodeTransformer):
    """Leave what runs when a module is imported."""

    def visit_If(self, node: ast.If) -> ast.If | None:
        only_types = ast.unparse(node.test) == "TYPE_CHECKING"
        return None if only_types else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        return None


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
