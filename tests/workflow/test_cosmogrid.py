"""A complete study on skies from disk, and jobs that run after a change."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from infoscope.files.hdf5 import read_nuisance
from infoscope.skies.cosmogrid import NUISANCE

from .. import cosmogrid
from .conftest import Checkout

pytestmark = pytest.mark.slow

VALIDATION = {"validate_skies": 1, "plot_skies": 1, "plot_sky_map": 1}
AFTER_SKIES = {
    "degrade_maps": 1,
    "collect_dataset": 1,
    "train_estimator": 1,
    "infer_posterior": 1,
    "export_chain": 1,
}
AGGREGATES = {
    "measure_widths": 1,
    "summarise_study": 1,
    "plot_widths": 1,
    "plot_triangle": 1,
    "plot_calibration": 1,
    "plot_tiles": 1,
    "plot_history": 1,
}
NEW = {"operations": [{"operation": "sum_bins"}]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a disk") / "Cosmo Grid"
    cosmogrid.write_copy(folder, 40, nside=16, perms=[1])
    return folder


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout(tmp_path_factory.mktemp("checkout") / "info scope")
    config = checkout.config
    config["simulator"] = {"name": "cosmogrid", "root": str(root)}
    config["cosmology"] = cosmogrid.COSMOLOGY
    config["degradations"] = {"reference": {"operations": []}}
    del config["estimators"]["cnn"], config["claims"]
    text = checkout.snakemake("--cores", "2")
    assert checkout.returncode == 0, text
    return checkout


def changed(checkout: Checkout, *keys: str, **values: Any) -> dict[str, Any]:
    config = copy.deepcopy(checkout.config)
    node = config
    for key in keys:
        node = node[key]
    node.update(values)
    return config


def test_results_of_the_study(finished: Checkout) -> None:
    results = finished.folder / "results/ci"
    table = pd.read_csv(results / "widths.csv")
    shown = table[table.calibration != "withheld"]
    assert len(table) == 7 and (shown[["value", "error"]] > 0).all(axis=None)
    index = pd.read_csv(results / "cosmogrid.csv", comment="#")
    assert dict(index.split.value_counts()) == {
        "test": 16, "train": 8, "validation": 4, "fiducial": 2,
    }  # fmt: skip
    with h5py.File(results / "datasets/reference.h5") as file:
        for split in ("train", "test"):
            rows = index[index.split == split]
            theta = file[split]["theta"][:]
            np.testing.assert_allclose(theta, rows[["omega_m", "sigma_8"]])
            nuisance = read_nuisance(file[split])
            assert nuisance.names == NUISANCE
            np.testing.assert_allclose(nuisance.values, rows[list(NUISANCE)])
    diagnostics = pd.read_csv(results / "diagnostics.csv")
    assert list(diagnostics.marginalised_over) == ["h, omega_b, n_s, w_0"]
    assert diagnostics.conditioned_on.isna().all()


def test_conditioning_infers_again(finished: Checkout, tmp_path: Path) -> None:
    """A nuisance parameter is fixed, in a real run: no network is trained again."""
    config = changed(finished, posterior={"condition_on": ["h"]})
    jobs = {"infer_posterior": 1, "export_chain": 1}
    tables = {"measure_widths": 1, "summarise_study": 1}
    figures = {"plot_widths": 1, "plot_triangle": 1, "plot_calibration": 1}
    assert finished.would_run(config) == jobs | tables | figures
    target = "results/ci/posteriors/reference/power_spectrum.h5"
    study = finished.copied(tmp_path / "info scope")
    text = study.snakemake("--cores", "1", target, config=config)
    assert study.returncode == 0, text
    with h5py.File(study.folder / target) as file:
        assert file.attrs["conditioned_on"] == "h"
        assert file.attrs["marginalised_over"] == "omega_b, n_s, w_0"


def test_a_growing_copy_runs_nothing(finished: Checkout, root: Path) -> None:
    _, row = cosmogrid.write_metainfo(root, 41)
    added = [(cosmogrid.names(41)[40], 0), (cosmogrid.names(1)[0], 0)]
    for name, perm in added:
        cosmogrid.write_sky(root, name, perm, row, nside=16, seed=7)
    assert finished.would_run() == {}


def test_longer_grid_runs_new_shards_and_what_uses_them(finished: Checkout) -> None:
    config = changed(finished, "grid", "train", cosmologies=16)
    expected = AFTER_SKIES | AGGREGATES | {"simulate_skies": 1}
    assert finished.would_run(config) == expected
    # in a real run, the first shard and the other splits keep their cosmologies
    path = finished.folder / "results/ci/cosmogrid.csv"
    before = pd.read_csv(path, comment="#")
    target = "results/ci/skies/train/0001.h5"
    text = finished.snakemake("--cores", "2", target, config=config)
    assert finished.returncode == 0, text
    after = pd.read_csv(path, comment="#")
    assert len(after) == len(before) + 8
    assert len(after.merge(before)) == len(before)
    grid = after[after.split != "fiducial"]
    assert not grid.name.duplicated().any()
    assert finished.would_run() == {}


def test_more_fiducial_skies_run_their_shard(finished: Checkout) -> None:
    config = changed(finished, "grid", "fiducial", skies=3)
    expected = AFTER_SKIES | AGGREGATES | {"simulate_skies": 1} | VALIDATION
    assert finished.would_run(config) == expected


def test_moved_root_runs_nothing_and_is_used(
    finished: Checkout, root: Path, tmp_path: Path
) -> None:
    """New skies are read from where the maps are now."""
    moved = root.with_name("elsewhere")
    root.rename(moved)
    try:
        simulator = finished.config["simulator"] | {"root": str(moved)}
        config = changed(finished, simulator=simulator)
        assert finished.would_run(config) == {}
        config["degradations"]["new"] = NEW
        config["grid"]["validation"]["cosmologies"] = 5
        target = "results/ci/datasets/new/validation/0000.h5"
        study = finished.copied(tmp_path / "info scope")
        text = study.snakemake("--cores", "2", target, config=config)
        assert study.returncode == 0, text
    finally:
        moved.rename(root)


@pytest.mark.parametrize("truncated", [True, False])
def test_file_that_is_lost_is_named(
    finished: Checkout, root: Path, truncated: bool, tmp_path: Path
) -> None:
    study = finished.copied(tmp_path / "info scope")
    path = cosmogrid.maps_path(root, "cosmo_fiducial", 1)
    content = path.read_bytes()
    path.unlink()
    if truncated:
        path.write_bytes(content[:-100])
    try:
        config = changed(finished, "grid", "fiducial", skies=3)
        target = "results/ci/skies/fiducial/0000.h5"
        text = study.snakemake("--cores", "1", target, config=config)
    finally:
        path.write_bytes(content)
    assert study.returncode != 0
    lines = [line for line in text.splitlines() if f"{path}: is " in line]
    assert len(lines) == 1, text
    assert "Traceback" not in text


def test_too_few_cosmologies_are_one_line(finished: Checkout) -> None:
    config = changed(finished, "grid", "train", cosmologies=64)
    target = "results/ci/skies/train/0007.h5"
    text = finished.snakemake("--cores", "1", target, config=config)
    assert finished.returncode != 0
    lines = [line for line in text.splitlines() if "grid.train.cosmologies is" in line]
    assert len(lines) == 1 and "lower it" in lines[0], text
    assert finished.would_run() == {}
