"""Input is never executed, and names cannot leave `results/`."""

from __future__ import annotations

import ast
import contextlib
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from snakemake.common.configfile import load_configfile

from infoscope.cosmology.nuisance import Nuisance
from infoscope.errors import InfoscopeError
from infoscope.estimators.checkpoints import Checkpoints
from infoscope.figures import triangle
from infoscope.files.hdf5 import create, open_for_reading, write_nuisance
from infoscope.skies import cosmogrid
from infoscope.study.checks import refuse_templates
from infoscope.study.config import parse_study
from infoscope.survey.config import PatchConfig
from infoscope.survey.footprint import selected_patches
from infoscope.survey.redshifts import read_fits
from infoscope.survey.survey import read_nz

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "workflow/infoscope"
# modules, functions and methods that execute their input
MODULES = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal",
    "shelve", "code", "codeop", "runpy", "subprocess", "ctypes",
}  # fmt: skip
FUNCTIONS = {"eval", "exec", "compile", "__import__"}
METHODS = {
    "eval", "query", "read_pickle", "loadMCSamples", "system", "popen", "unsafe_load",
    "full_load", "load_all",
}  # fmt: skip
# the only place where user-defined files are imported
IMPORTS_FILES = "degradations/operation.py"


def good(**changes: Any) -> dict[str, Any]:
    return {"study": "x", "degradations": {"reference": {"operations": []}}} | changes


def forbidden(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found += [n.name for n in names if n.name.split(".")[0] in MODULES]
            case ast.ImportFrom(module=str(module), names=names):
                found += [module] if module.split(".")[0] in MODULES else []
                found += [n.name for n in names if n.name in METHODS]
            case ast.Name(id=name) if name in FUNCTIONS:
                found.append(name)
            case ast.Attribute(attr=name) if name in METHODS | {"exec_module"}:
                found.append(name)
            case ast.Attribute(value=ast.Name(id="yaml"), attr="load"):
                found.append("yaml.load")
            case ast.keyword(arg="allow_pickle" | "shell" as name):
                found.append(name)
    return found


def test_package_executes_nothing_that_it_reads() -> None:
    used = {}
    for path in PACKAGE.rglob("*.py"):
        found = forbidden(ast.parse(path.read_text()))
        if found:
            used[path.relative_to(PACKAGE).as_posix()] = found
    assert used == {IMPORTS_FILES: ["exec_module"]}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from pickle import loads", "import os.path, subprocess as s",
        "eval('1')", "f = exec", "yaml.load(x)", "np.load(x, allow_pickle=True)",
        "run(x, shell=True)", "pd.read_pickle(x)", "table.query('a > 1')",
        "from getdist import loadMCSamples", "spec.loader.exec_module(module)",
    ],
)  # fmt: skip
def test_what_is_forbidden_is_found(line: str) -> None:
    assert len(forbidden(ast.parse(line))) == 1


def test_rules_run_commands_only_and_quote_what_has_free_text() -> None:
    quoted = {"spec", "log", "input", "output", "benchmarks", "INDEX", "INDEX_SPEC"}
    quoted |= {"ROOT", "files"}
    seen = set()
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        text = path.read_text()
        assert not re.search(r"^ +(run|script|notebook|wrapper):", text, re.M)
        for shell in re.findall(r"^    shell:\n((?: {8}.*\n?)+)", text, re.M):
            for name, suffix in re.findall(r"\{([\w.]+)(:q)?\}", shell):
                kind, _, key = name.partition(".")
                named = key if kind == "params" else kind
                seen.add(named)
                assert bool(suffix) == (named in quoted), f"{path}: {name}"
    assert seen == quoted | {"code", "figure", "index_code", "threads", "resources"}


class Payload:
    """Creates a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.marker,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "executed"


@pytest.fixture(params=[0, 5], ids=["text", "binary"])
def payload(marker: Path, request: pytest.FixtureRequest) -> bytes:
    """Return bytes that are dangerous indeed."""
    content = pickle.dumps(Payload(marker), protocol=request.param)
    pickle.loads(content)
    marker.rmdir()
    return content


def read_all(path: Path) -> None:
    with open_for_reading(path) as file:
        for value in file.attrs.values():
            str(value)
        file.visititems(lambda _, item: isinstance(item, h5py.Dataset) and item[()])


def read_chain(path: Path) -> None:
    triangle.read_chain({"labels": {}}, path)


def read_checkpoint(path: Path) -> None:
    like = {"a": np.zeros(3)}
    checkpoints = Checkpoints(path.parent / "checkpoint", 0.0)
    checkpoints.save(1, like, {"step": 1})
    found = checkpoints.restore(like)
    assert found is not None and np.array_equal(found[0]["a"], like["a"])
    files = [file for file in checkpoints.folder.rglob("*") if file.is_file()]
    assert len(files) > 3
    for file in files:
        file.write_bytes(path.read_bytes())
    Checkpoints(checkpoints.folder, 0.0).restore(like)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("0000.h5", read_all),
        ("nz.txt", read_nz),
        ("nz.npy", read_nz),
        ("nz.fits", lambda path: read_fits(path, "NZ_SOURCE")),
        ("mask.fits", lambda path: selected_patches(path, PatchConfig(), 1.0)),
        (cosmogrid.METAINFO, lambda path: cosmogrid.read_metainfo(path.parent)),
        ("maps.h5", cosmogrid.check_maps),
        ("cosmogrid.csv", cosmogrid.read_index),
        ("widths.csv", pd.read_csv),
        ("cnn.1.txt", read_chain),
        ("checkpoint.pkl", read_checkpoint),
        ("study.yaml", load_configfile),
    ],
)
def test_pickle_is_not_executed(
    tmp_path: Path, payload: bytes, marker: Path, name: str, read: Callable
) -> None:
    path = tmp_path / name
    path.write_bytes(payload)
    with contextlib.suppress(Exception):
        read(path)
    assert not marker.exists()


def test_pickle_inside_of_a_file_is_bytes(
    tmp_path: Path, payload: bytes, marker: Path
) -> None:
    path = tmp_path / "0000.h5"
    with create(path, {}) as file:
        file.attrs["code"] = np.void(payload)
        file["kappa"] = np.void(payload)
        file.create_dataset("tiles", data=[payload.hex()], dtype=h5py.string_dtype())
        write_nuisance(file, Nuisance.none(1))
    read_all(path)
    objects = tmp_path / "nz.npy"
    np.save(objects, np.array([Payload(marker)], object), allow_pickle=True)
    with pytest.raises(InfoscopeError, match=r"survey.nz: .*nz.npy: "):
        read_nz(objects)
    assert not marker.exists()


def test_cache_of_getdist_is_not_read(
    tmp_path: Path, payload: bytes, marker: Path
) -> None:
    """The loader of GetDist would unpickle the file, which is not read here."""
    folder = tmp_path / "reference"
    folder.mkdir()
    rows = "1 0 0.3 0.8 0.8\n1 0 0.31 0.79 0.8\n" * 50
    (folder / "cnn.1.txt").write_text(f"# calibration: calibrated\n{rows}")
    (folder / "cnn.paramnames").write_text("omega_m\nsigma_8\ns_8*\n")
    (folder / "cnn.ranges").write_text("omega_m 0.1 0.5\nsigma_8 0.4 1.2\n")
    cache = folder / "cnn.py_mcsamples"
    cache.write_bytes(payload)
    spec = {key: {"reference": "reference"} for key in ("labels", "families")}
    assert triangle.read_chain(spec, folder / "cnn.1.txt").samples is not None
    assert sorted(path.suffix for path in folder.iterdir()) == [
        ".paramnames", ".py_mcsamples", ".ranges", ".txt",
    ]  # fmt: skip
    assert cache.read_bytes() == payload and not marker.exists()


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.mkdir [{marker}]",
        "!!python/object/new:os.mkdir [{marker}]",
        "!!python/object/apply:pathlib.Path.mkdir [{marker}]",
        "!!python/name:os.mkdir",
        "!!python/module:antigravity",
    ],
)
def test_yaml_tag_is_not_executed(tmp_path: Path, marker: Path, tag: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"study: {tag.format(marker=marker)}\n")
    try:
        read = load_configfile(path)
    except Exception:
        read = None
    assert not marker.exists()
    if read is not None:
        with pytest.raises(InfoscopeError, match=r"study: Input should be"):
            parse_study(good(**read))
    with pytest.raises(InfoscopeError, match=r"study.yaml: is not plain YAML: "):
        refuse_templates([path])


def test_template_is_refused(tmp_path: Path) -> None:
    """Snakemake has already run it; the error keeps such studies from being shared."""
    path = tmp_path / "study.yaml"
    path.write_text("__use_yte__: true\nstudy: ?'x' * 3\n")
    assert load_configfile(path) == {"study": "xxx"}
    with pytest.raises(InfoscopeError, match=r"study.yaml: __use_yte__: "):
        refuse_templates([path])
    for study in (ROOT / "config").rglob("*.yaml"):
        refuse_templates([study])


HOSTILE = [
    "", ".", "..", "../x", "/etc", "a/b", "a\\b", "a\n", "\na", "a ", " a", "a.b",
    "-a", "_a", "a-b", "A", "aB", "ａ", "é", "a\u0301", "а", "１", "a\0", "a\u2028",
    "a\r", "~", "$HOME", "`id`", "a'b", 'a"b', "{a}", "a*", "a;b", "con.txt", "a" * 65,
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_is_refused(name: str) -> None:
    reference: dict[str, Any] = {"reference": {}}
    for changes in (
        {"study": name},
        {"degradations": reference | {name: {}}},
        {"estimators": {name: {"kind": "cnn"}}},
        {"learning_curves": {"degradations": [name]}},
    ):
        with pytest.raises(InfoscopeError) as caught:
            parse_study(good(**changes))
        assert "\n" not in str(caught.value)
        assert next(iter(changes)) in str(caught.value)


@pytest.mark.parametrize("name", ["a", "0", "a_b", "con", "results", "a" * 64])
def test_harmless_name_is_not(name: str) -> None:
    study = parse_study(good(study=name, estimators={name: {"kind": "cnn"}}))
    assert study.study == name


def test_names_that_would_share_a_log_are_refused() -> None:
    degradations: dict[str, Any] = {"reference": {}, "a": {}, "a_b": {}}
    estimators = {name: {"kind": "cnn"} for name in ("c", "b_c")}
    with pytest.raises(InfoscopeError, match=r"degradations.a_b with estimators.c "):
        parse_study(good(degradations=degradations, estimators=estimators))
    del estimators["c"]
    parse_study(good(degradations=degradations, estimators=estimators))


@pytest.mark.parametrize("name", ["-x.txt", "a{split}.txt", "a\nb.txt", "a\0.txt"])
def test_name_of_an_input_that_means_something_else_is_refused(name: str) -> None:
    for changes, key in (
        ({"survey": {"nz": {"kind": "table", "files": [name]}}}, "survey.nz.files.0"),
        ({"survey": {"nz": {"kind": "fits", "file": name}}}, "survey.nz.file"),
        ({"simulator": {"name": "cosmogrid", "root": name}}, "simulator.root"),
    ):
        with pytest.raises(InfoscopeError) as caught:
            parse_study(good(**changes))
        message = str(caught.value)
        assert message.startswith(f"config: {key}: {name!r}: braces, line breaks and")
        assert "Snakemake" in message


def test_file_that_the_config_does_not_name_is_not_imported(
    tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"from pathlib import Path\nPath({str(marker)!r}).mkdir()\n"
    names = (
        "own.py",
        "infoscope.py",
        "operations.py",
        "lowpass.py",
        "own_operation.py",
    )
    for name in names:
        (tmp_path / name).write_text(text)
    operations = [{"operation": "lowpass", "scale_mpc_h": 100}]
    parse_study(good(degradations={"reference": {"operations": operations}}))
    with pytest.raises(InfoscopeError, match="unknown operation 'own'"):
        parse_study(
            good(degradations={"reference": {"operations": [{"operation": "own"}]}})
        )
    assert not marker.exists()
    with pytest.raises(InfoscopeError, match="defines no operation"):
        parse_study(good(operation_files=["own.py"]))
    assert marker.exists()
