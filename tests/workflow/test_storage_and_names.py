"""A study with hostile names that keeps no intermediate data has the same results."""

from __future__ import annotations

import copy
import hashlib
import html
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import healpy
import numpy as np
import pandas as pd
import pytest

from infoscope.study import specs
from infoscope.study.config import parse_study

from ..project.test_security import Payload
from .conftest import ROOT, Checkout, contents
from .test_what_reruns import AGGREGATES, CHAIN

pytestmark = pytest.mark.slow

FOLDER = """it's "a" $HOME `touch x` $(touch x) [a-b]* ? &;|#%!~,=κ"""
NZ = """n(z) 'a' "b" $(touch x) `touch x` \\ [c]*?.txt"""
MASK = """-m{a} 'b' "c" $(touch x) `touch x` \\.fits"""
OWN = """o's "p" $(touch x) `touch x` *.py"""
LABEL = """it's "q" $(touch x) `touch x` {split} {a} \\ $\\sigma_{8}$"""
CLAIM = """It's "q" $(touch x); `touch x` {split} {a} \\ <b>x</b>"""
NOTHING = '''"""An operation that does nothing."""

from typing import Literal

from infoscope.degradations import Constants, Operation, Patches


class Nothing(Operation):
    """Does nothing."""

    operation: Literal["nothing"] = "nothing"

    def apply(self, patches: Patches, constants: Constants, rng) -> Patches:
        """Do nothing."""
        return patches
'''
# modules in the working directory, with names of the standard library and others
PLANTED = ("random.py", "json.py", "numpy.py", "infoscope.py", "pandas.py")
FORGOTTEN = {"storage": {"keep_skies": False, "keep_datasets": False}}


def used(folder: Path) -> int:
    """Return the size of all files in a folder in bytes."""
    sizes = []
    for path in folder.rglob("*.h5"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            # deleted in the meantime
            continue
    return sum(sizes)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path_factory.mktemp("hostile") / FOLDER)
    folder, config = checkout.folder, checkout.config
    shutil.copy(folder / "resources/nz/des_like.txt", folder / NZ)
    healpy.write_map(folder / MASK, np.ones(12 * 16**2), dtype=np.float32)
    (folder / OWN).write_text(NOTHING)
    for name in PLANTED:
        (folder / name).write_text("open('executed', 'w')\n")
    config |= copy.deepcopy(FORGOTTEN) | {"operation_files": [OWN]}
    config["survey"] |= {"nz": {"kind": "table", "files": [NZ]}, "mask": MASK}
    changed = config["degradations"]["shuffle_pixels"]
    changed["operations"].append({"operation": "nothing"})
    changed["label"] = LABEL
    config["claims"][0]["claim"] = CLAIM
    stop, sizes = threading.Event(), [0]

    def watch() -> None:
        while not stop.wait(0.1):
            sizes.append(used(folder / "results/ci/datasets"))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        # one core, so that the number of data sets does not depend on the machine
        text = checkout.snakemake("--cores", "1")
    finally:
        stop.set()
        watching.join()
    assert checkout.returncode == 0, text
    checkout.peak = max(sizes)
    return checkout


def test_results_are_those_of_the_other_study(
    finished: Checkout, elsewhere: Checkout
) -> None:
    one, other = (checkout.folder / "results/ci" for checkout in (finished, elsewhere))
    compared = 0
    for path in sorted(one.rglob("*")):
        name = path.relative_to(one)
        if path.is_dir() or name.parts[0] in ("logs", "benchmarks", "figures"):
            continue
        # the page contains costs of rules
        if name.parts[0] == "report":
            assert (other / name).stat().st_size > 1000
            continue
        if name.parts[0] in ("skies", "datasets", "learning_curves"):
            continue
        compared += 1
        if path.suffix == ".h5":
            assert contents(other / name) == contents(path), name
        elif name.name in ("widths.csv", "mocks.csv", "diagnostics.csv", "claims.csv"):
            tables = [pd.read_csv(folder / name) for folder in (one, other)]
            for table in tables:
                table.drop(columns=["label", "claim"], errors="ignore", inplace=True)
                if name.name == "claims.csv":
                    # the other is what it cost
                    table.drop(index=1, inplace=True)
            pd.testing.assert_frame_equal(*tables)
        else:
            assert (other / name).read_bytes() == path.read_bytes(), name
    assert compared > 30
    for figure in (one / "figures").iterdir():
        assert (other / "figures" / figure.name).stat().st_size > 10_000
    assert LABEL in set(pd.read_csv(other / "widths.csv").label)
    assert CLAIM in set(pd.read_csv(other / "claims.csv").claim)


def test_nothing_was_executed_but_the_study(elsewhere: Checkout) -> None:
    assert [path.name for path in elsewhere.folder.parent.iterdir()] == [FOLDER]
    # Python writes the compiled operation beside its file
    made = {".snakemake", "__pycache__"}
    there = {path.name for path in elsewhere.folder.iterdir()} - made
    assert there == {
        "Snakefile", "workflow", "config", "envs", "profiles", "resources", "results",
        "study.yaml", NZ, MASK, OWN, *PLANTED,
    }  # fmt: skip
    assert [path.name for path in (elsewhere.folder / "results").iterdir()] == ["ci"]


def test_skies_and_data_sets_are_gone_and_nothing_runs_again(
    finished: Checkout, elsewhere: Checkout
) -> None:
    results = elsewhere.folder / "results/ci"
    for name in ("skies", "datasets"):
        assert not used(results / name)
        assert used(finished.folder / "results/ci" / name)
    assert (results / "examples/reference.h5").exists()
    assert elsewhere.would_run() == {}
    # two degradations, one after the other
    whole = used(finished.folder / "results/ci/datasets")
    assert 0.4 * whole < elsewhere.peak < 0.7 * whole


def test_new_degradation_without_skies(elsewhere: Checkout) -> None:
    """Everything is computed again, unless only new files are targets."""
    config = copy.deepcopy(elsewhere.config)
    config["degradations"]["new"] = {"operations": [{"operation": "sum_bins"}]}
    jobs = elsewhere.would_run(config)
    assert jobs["simulate_skies"] == 5 and jobs["train_estimator"] == 6
    posteriors = [
        f"results/ci/posteriors/new/{estimator}.h5"
        for estimator in config["estimators"]
    ]
    jobs = elsewhere.would_run(config, *posteriors)
    skies = {"simulate_skies": 5}
    assert jobs == skies | {k: v for k, v in CHAIN.items() if k != "export_chain"}


def test_new_degradation_without_data_sets(finished: Checkout) -> None:
    """If skies are kept, only new files are computed."""
    config = copy.deepcopy(finished.config)
    config["storage"] = {"keep_datasets": False}
    assert finished.would_run(config) == {}
    config["degradations"]["new"] = {"operations": [{"operation": "sum_bins"}]}
    folder = finished.folder / "results/ci/datasets"
    hidden = folder.with_name("hidden")
    folder.rename(hidden)
    try:
        jobs = finished.would_run(config)
        # it is linear, and therefore has a forecast
        assert jobs == CHAIN | AGGREGATES | {"forecast_fisher": 1}
    finally:
        hidden.rename(folder)


def test_report_lists_what_was_imported(elsewhere: Checkout) -> None:
    text = elsewhere.snakemake("--report", "report.html", "--cores", "1")
    assert elsewhere.returncode == 0, text
    report = elsewhere.folder / "report.html"
    page = html.unescape(report.read_text().replace("\\u0027", "'"))
    report.unlink()
    digest = hashlib.sha256((elsewhere.folder / OWN).read_bytes()).hexdigest()
    assert digest in page and "nothing" in page
    assert "touch x" in page and not (elsewhere.folder / "x").exists()


@pytest.mark.parametrize(
    ("folder", "character"), [("a {x}", "{"), ("a:b", ":"), ("a\\b", "\\")]
)
def test_folder_that_cannot_work_is_one_line(
    tmp_path: Path, folder: str, character: str
) -> None:
    checkout = Checkout(tmp_path / folder)
    text = checkout.snakemake("--cores", "1")
    assert checkout.returncode != 0
    lines = [line for line in text.splitlines() if "rename the folder" in line]
    assert len(lines) == 1 and folder in lines[0] and character in lines[0], text
    assert "Traceback" not in text
    assert not (checkout.folder / "results").exists()


@pytest.mark.parametrize(
    ("name", "option"),
    [("../x", True), ("/tmp/x", True), ("../x", False), ("a\n", False)],
)
def test_study_stays_in_results(tmp_path: Path, name: str, option: bool) -> None:
    checkout = Checkout(tmp_path / "checkout")
    if option:
        text = checkout.snakemake("--cores", "1", "--config", f"study={name}")
    else:
        text = checkout.snakemake(
            "--cores", "1", config=checkout.config | {"study": name}
        )
    assert checkout.returncode != 0
    assert len([line for line in text.splitlines() if "config: study: " in line]) == 1
    assert "Traceback" not in text
    assert not (checkout.folder / "results").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["checkout"]


def test_template_is_one_line(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    config = checkout.config | {"__use_yte__": True}
    text = checkout.snakemake("--cores", "1", config=config)
    assert checkout.returncode != 0
    assert len([line for line in text.splitlines() if "__use_yte__: " in line]) == 1
    assert "Traceback" not in text


def test_cache_of_compiled_programs_is_no_pickle(
    finished: Checkout, tmp_path: Path
) -> None:
    """A file that is not a program is compiled again, with the same result."""
    assert list((finished.folder / ".snakemake/jax-cache").glob("*-cache"))
    cache = tmp_path / "cache"
    spec = specs.train(parse_study(finished.config), "reference", "cnn", 0)
    results = finished.folder / "results/ci"
    output = tmp_path / "seed_0" / "summaries.h5"

    def train() -> str:
        done = subprocess.run(
            [
                sys.executable, "-m", "infoscope", "train-estimator",
                "--spec", json.dumps(spec),
                "--dataset", str(results / "datasets/reference.h5"),
                "--output", str(output),
            ],
            env=os.environ | {
                "PYTHONPATH": str(ROOT / "workflow"),
                "NPROC": "1",
                "JAX_COMPILATION_CACHE_DIR": str(cache),
                # every program is kept, however fast the machine compiles it
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            },
            capture_output=True,
            text=True,
            timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stderr

    train()
    output.unlink()
    marker = tmp_path / "executed"
    content = pickle.dumps(Payload(marker))
    entries = list(cache.glob("*-cache"))
    assert len(entries) > 3
    for i, entry in enumerate(entries):
        entry.write_bytes(zlib.compress(b"\0\0\0\1" + content) if i % 2 else content)
    assert "Error reading persistent compilation cache entry" in train()
    assert not marker.exists()
    expected = results / "training/reference/cnn/seed_0/summaries.h5"
    assert contents(output) == contents(expected)
