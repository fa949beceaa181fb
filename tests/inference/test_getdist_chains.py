"""GetDist reads chains, and withheld chains cannot be read."""

from __future__ import annotations

from pathlib import Path

import getdist
import numpy as np
import pytest

from infoscope.files.hdf5 import create
from infoscope.inference import getdist_chains as text
from infoscope.inference.posterior import Grid, widths
from infoscope.stages import export_chain
from infoscope.vocabulary import METRICS

PRIOR = {"omega_m": (0.15, 0.45), "sigma_8": (0.5, 1.2)}
GRID = Grid.of_prior(PRIOR, 96)
AXES = GRID.axes


def probabilities(width: float) -> np.ndarray:
    """Posterior on a grid: narrow in S_8, and cut by the prior in Ω_m."""
    omega_m, sigma_8 = np.meshgrid(*AXES, indexing="ij")
    s_8 = sigma_8 * np.sqrt(omega_m / 0.3)
    log = -(((s_8 - 0.77) / width) ** 2 + ((omega_m - 0.29) / 0.1) ** 2) / 2
    return np.exp(log) / np.exp(log).sum()


def draws(grid: np.ndarray) -> np.ndarray:
    """Draw 20,000 samples: cells by their probability, uniformly within."""
    rng = np.random.default_rng(1)
    cells = np.unravel_index(rng.choice(grid.size, 20_000, p=grid.ravel()), grid.shape)
    moved = [
        axis[i] + (axis[1] - axis[0]) * rng.uniform(-0.5, 0.5, i.size)
        for axis, i in zip(AXES, cells, strict=True)
    ]
    return np.stack(moved, axis=1)


def exported(
    folder: Path, samples: np.ndarray, calibration: str = "calibrated", name="cnn"
) -> Path:
    """Root of the chain of a posterior."""
    posterior = folder / f"{name}.h5"
    with create(posterior, {}) as file:
        file["samples"] = samples
        file.attrs["calibration"] = calibration
    root = folder / "chains/reference" / name
    export_chain.run(
        {"prior": PRIOR}, posterior, root.with_name(f"{name}{text.SUFFIX}")
    )
    return root


def loaded(root: Path) -> getdist.MCSamples:
    return getdist.loadMCSamples(str(root), no_cache=True)


@pytest.mark.parametrize("calibration", ["calibrated", "corrected"])
def test_getdist_reads_what_was_written(tmp_path: Path, calibration: str) -> None:
    samples = draws(probabilities(0.04))
    chain = loaded(exported(tmp_path, samples, calibration))
    omega_m, sigma_8 = samples.T
    expected = np.stack([omega_m, sigma_8, sigma_8 * np.sqrt(omega_m / 0.3)], axis=1)
    np.testing.assert_allclose(chain.samples, expected, rtol=5e-6)
    assert (chain.weights == 1).all() and (chain.loglikes == 0).all()
    assert chain.getParamNames().list() == ["omega_m", "sigma_8", "s_8"]
    assert [p.name for p in chain.paramNames.names if p.isDerived] == ["s_8"]
    assert chain.getParamNames().labels() == [r"\Omega_m", r"\sigma_8", "S_8"]
    for name, interval in PRIOR.items():
        assert (chain.ranges.getLower(name), chain.ranges.getUpper(name)) == interval
    assert chain.ranges.getLower("s_8") is chain.ranges.getUpper("s_8") is None
    assert text.read_calibration(tmp_path / "chains/reference/cnn.1.txt") == calibration


@pytest.mark.parametrize("width", [0.03, 0.1])
def test_getdist_measures_the_widths_of_the_grid(tmp_path: Path, width: float) -> None:
    """Widths of the table come from the grid: not from samples, nor with GetDist."""
    grid = probabilities(width)
    expected = dict(zip(METRICS, widths(grid.reshape(1, -1), GRID)[0], strict=True))
    chain = loaded(exported(tmp_path, draws(grid)))
    for name, metric in (
        ("s_8", "sigma_s8"),
        ("omega_m", "sigma_omega_m"),
        ("sigma_8", "sigma_sigma8"),
    ):
        # an error of 0.5 % from the number of samples
        assert chain.std(name) == pytest.approx(expected[metric], rel=0.02)
    omega_m = grid.sum(axis=1) @ AXES[0]
    assert chain.mean("omega_m") == pytest.approx(omega_m, abs=3 * 0.08 / 20_000**0.5)
    chain.updateSettings({"smooth_scale_2D": 0.3, "contours": [0.683]})
    density = chain.get2DDensity("omega_m", "sigma_8")
    cells = (density.getContourLevels([0.683]) < density.P).sum()
    area = cells * (density.x[1] - density.x[0]) * (density.y[1] - density.y[0])
    assert area == pytest.approx(expected["area68"], rel=0.04)


def test_correction_is_in_the_first_line(tmp_path: Path) -> None:
    root = exported(tmp_path, draws(probabilities(0.04)), "corrected")
    first = root.with_name("cnn.1.txt").read_text().partition("\n")[0]
    assert first.startswith("# calibration: corrected (") and "tempered" in first


def test_withheld_chain_has_no_samples_and_is_refused(tmp_path: Path) -> None:
    root = exported(tmp_path, draws(probabilities(0.04)), "withheld")
    path = root.with_name("cnn.1.txt")
    first, *others = path.read_text().splitlines()
    assert first.startswith("# calibration: withheld (miscalibrated")
    assert others == ["withheld"]
    with pytest.raises(ValueError, match="withheld"):
        loaded(root)
    with pytest.raises(ValueError, match="withheld"):
        np.loadtxt(path)
    assert text.read_calibration(path) == "withheld"


def test_estimators_with_numbers_are_no_chains_of_others(tmp_path: Path) -> None:
    samples = draws(probabilities(0.04))
    roots = [
        exported(tmp_path, samples + 1e-3 * i, name=name)
        for i, name in enumerate(["cnn", "cnn_1", "cnn_2"])
    ]
    for i, root in enumerate(roots):
        chain = loaded(root)
        assert chain.numrows == len(samples)
        assert chain.mean("sigma_8") == pytest.approx(samples[:, 1].mean() + 1e-3 * i)


def test_same_posterior_same_bytes(tmp_path: Path) -> None:
    samples = draws(probabilities(0.04))
    roots = [exported(tmp_path / name, samples) for name in ("one", "other")]
    one, other = (
        {path.name: path.read_bytes() for path in root.parent.iterdir()}
        for root in roots
    )
    assert one == other
    assert set(one) == {"cnn.1.txt", "cnn.paramnames", "cnn.ranges"}
