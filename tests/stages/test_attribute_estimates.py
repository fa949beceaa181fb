"""Attribution of the estimates of a network, from its weights to the figure."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from infoscope.cli import main
from infoscope.cosmology.nuisance import Nuisance
from infoscope.files.hdf5 import write_nuisance
from infoscope.stages import attribute_estimates, train_estimator
from infoscope.study import specs
from infoscope.study.checks import checked_study, survey_of_reference
from infoscope.vocabulary import Split

CONFIG = {
    "study": "x",
    "survey": {"nside": 16, "patch": {"side_deg": 40, "pixels": 16, "per_sky": 12}},
    "simulator": {"name": "gaussian", "shell_width_mpc": 600},
    "estimators": {
        "network": {"kind": "cnn", "channels": 4, "blocks": 1, "steps": 30},
        "spectra": {"kind": "power_spectrum", "n_ell": 4},
    },
    "training": {"evaluate_every": 10},
    "attribution": {"tiles": 40},
    "degradations": {
        "reference": {},
        "small": {"operations": [{"operation": "highpass", "scale_mpc_h": 200}]},
        "high": {
            "operations": [{"operation": "keep_convergence", "ranges": [[1, None]]}]
        },
        "shuffled": {"operations": [{"operation": "shuffle_pixels"}]},
    },
}
STUDY, NZ, _ = checked_study(CONFIG)
SURVEY = survey_of_reference(STUDY, NZ)


def written(path: Path) -> Path:
    """Write a data set of white noise whose amplitude is proportional to σ_8."""
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        for split in Split:
            group = file.create_group(split)
            theta = rng.uniform([0.15, 0.5], [0.45, 1.2], (16, 2))
            tiles = rng.standard_normal((16, 12, 16, 16, 4))
            tiles *= theta[:, 1, None, None, None, None]
            tiles -= tiles.mean(axis=(2, 3), keepdims=True)
            group["tiles"] = tiles.astype(np.float32)
            group["theta"] = theta
            group["sky"] = np.arange(16)
            group["cosmology"] = np.arange(16)
            write_nuisance(group, Nuisance.none(16))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the attribution of two training runs."""
    folder = tmp_path_factory.mktemp("attribution")
    data = written(folder / "data.h5")
    weights = []
    for seed in range(2):
        output = folder / f"{seed}" / "summaries.h5"
        train_estimator.run(
            specs.train(STUDY, "reference", "network", seed), data, output
        )
        weights.append(output.with_name("weights.msgpack"))
    spec = specs.attribute(STUDY, "network", SURVEY)
    attribute_estimates.run(spec, data, weights, folder / "network.h5")
    return folder


def test_parts_sum_to_the_estimates(folder: Path) -> None:
    with h5py.File(folder / "network.h5") as file:
        whole = file["estimate"][:] - file["baseline"][:][:, None]
        assert whole.shape == (2, 32)
        scatter = file["estimate"][:].std(axis=1).min()
        error = file["completeness_error"][:].max()
        assert error < 0.01
        for part in (
            file["by_scale"][:].sum(axis=(2, 3)),
            file["by_value"][:][:, :, 0].sum(axis=2),
        ):
            assert np.abs(part - whole).max() < 0.03 * scatter
        np.testing.assert_allclose(file["area"][:].sum(axis=2), 1, rtol=1e-5)


def test_estimates_are_those_of_the_training_run(folder: Path) -> None:
    """They differ only because summaries average over the orientations of a tile."""
    with (
        h5py.File(folder / "network.h5") as file,
        h5py.File(folder / "1/summaries.h5") as trained,
    ):
        sky, tile = file["sky"][:], file["tile"][:]
        expected = trained["test/summary"][:][sky, tile, 1]
        found = file["estimate"][:][1]
    difference = (found - expected).std()
    assert abs((found - expected).mean()) < 0.3 * difference + 1e-3
    assert difference < 0.5 * expected.std()


def test_tiles_are_spread_over_skies() -> None:
    sky, tile = attribute_estimates.chosen_tiles((100, 48), 256)
    assert np.bincount(sky).tolist() == [2] * 100
    assert len({*zip(sky, tile, strict=True)}) == 200 and len(set(tile)) == 48
    sky, tile = attribute_estimates.chosen_tiles((100, 48), 10)
    assert len(set(sky)) == 10 and sky.max() == 99
    sky, tile = attribute_estimates.chosen_tiles((3, 12), 256)
    assert len({*zip(sky, tile, strict=True)}) == 36


def compared(folder: Path, ratio: float, output: Path) -> None:
    """Compare with widths, where the ratio of `small` is given."""
    widths = pd.DataFrame(
        {
            "degradation": ["reference", "small", "high", "shuffled"],
            "estimator": "network",
            "metric": "sigma_s8",
            "ratio": [1, ratio, 2, 3],
            "ratio_error": 0.1,
            "training_verdict": "trained",
        }
    )
    widths.to_csv(folder / "widths.csv", index=False)
    spec = json.dumps(specs.agreement(STUDY, "network", SURVEY))
    files = ["--attribution", folder / "network.h5", "--widths", folder / "widths.csv"]
    arguments = ["--spec", spec, *map(str, files), "--output", str(output)]
    assert main(["compare-attribution", *arguments]) == 0


def test_shares_are_tabulated_and_drawn(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "network" / "shares.csv"
    output.parent.mkdir()
    compared(folder, 1.25, output)
    shares = pd.read_csv(output)
    sums = shares.groupby(["part", "smoothing_mpc_h"])["share"].sum()
    for part in ("scale", "bin", "value"):
        assert sums[part, 0.0] == pytest.approx(1, abs=0.05)
    assert {"peak", "void"} < set(shares["part"])
    agreement = pd.read_csv(output.with_name("agreement.csv"))
    # shuffled pixels are not a part of a tile
    assert list(agreement["degradation"]) == ["small", "high"]
    assert agreement["information"].tolist() == pytest.approx([0.64, 0.25])
    assert set(agreement["agreement"]) == {"undecided"}
    # white noise has the same power in all modes
    assert 0.5 < agreement["share"][0] < 1.1
    files = ["--shares", output, "--agreement", output.with_name("agreement.csv")]
    figure = tmp_path / "figure.png"
    arguments = ["--spec", "{}", *map(str, files), "--output", str(figure)]
    assert main(["plot", "attribution", *arguments]) == 0
    width, height = Image.open(figure).size
    assert width == 1440 and height > 700 and figure.with_suffix(".pdf").exists()


def test_withheld_widths_are_not_compared(folder: Path, tmp_path: Path) -> None:
    compared(folder, np.nan, tmp_path / "shares.csv")
    agreement = pd.read_csv(tmp_path / "agreement.csv")
    assert list(agreement["degradation"]) == ["high"]


def test_only_networks_on_tiles_are_attributed() -> None:
    assert specs.attributed(STUDY) == ["network"]
    off = checked_study(CONFIG | {"attribution": {"tiles": 0}})[0]
    assert specs.attributed(off) == []


def test_new_degradations_change_no_attribution() -> None:
    more = CONFIG["degradations"] | {"y": {"operations": [{"operation": "sum_bins"}]}}
    study = checked_study(CONFIG | {"degradations": more})[0]
    spec = specs.attribute(STUDY, "network", SURVEY)
    assert specs.attribute(study, "network", SURVEY) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"survey": CONFIG["survey"] | {"noise": "after"}},
        {
            "degradations": {
                "reference": {},
                "small": CONFIG["degradations"]["small"] | {"noise": "none"},
            }
        },
    ],
)
def test_noise_that_differs_is_not_compared(change: dict[str, object]) -> None:
    study = checked_study(CONFIG | change)[0]
    assert specs.agreement(study, "network", SURVEY)["operations"] == {}
