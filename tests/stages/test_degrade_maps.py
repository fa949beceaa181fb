"""Constants are fitted to fiducial patches, and are those of all data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from infoscope.degradations.patches import Patches
from infoscope.degradations.sky_files import SkyFile
from infoscope.errors import InfoscopeError
from infoscope.files.hdf5 import create, describe_skies
from infoscope.files.precision import ALIGNMENT, CONVERGENCE, Maps
from infoscope.stages import degrade_maps, fit_constants
from infoscope.study import specs
from infoscope.study.config import parse_study

from ..conftest import PIXELS, gaussian_fields, parsed

N_SKY, N_PATCH, N_BINS = 3, 5, 4
HIGH = {"operation": "keep_convergence", "ranges": [[1, None]]}
LOWPASS = {"operation": "lowpass", "ell": 100}


def skies(path: Path, seed: int = 1, change: slice | None = None) -> Path:
    """Write skies; `change` are patches that have other values."""
    shape = (N_BINS, N_PATCH, PIXELS, PIXELS)
    fields = gaussian_fields((N_SKY, *shape[:2]), PIXELS, np.random.default_rng(seed))
    if change:
        fields[:, :, change] = 3 * fields[:, :, change][..., ::-1] + 1
    with create(path, {}) as file:
        kappa = Maps.create(file, "kappa", CONVERGENCE, (N_SKY, *shape), (1, *shape))
        terms = Maps.create(
            file, "kappa_ia", ALIGNMENT, (N_SKY, 3, *shape), (1, 1, *shape), leading=2
        )
        for sky in range(N_SKY):
            kappa[sky] = 0.01 * fields[sky]
            for term in range(3):
                terms[sky, term] = 0.002 * np.roll(fields[sky], term + 1, axis=-1)
        theta = np.tile([0.3, 0.8], (N_SKY, 1))
        mean_z = np.array([0.3, 0.5, 0.8, 0.9])
        describe_skies(file, theta, np.arange(N_SKY), np.zeros(N_SKY), mean_z)
    return path


def spec_of(
    *operations: dict[str, Any], split: str = "fiducial", patches: Any = None,
    **survey: Any,
) -> dict[str, Any]:  # fmt: skip
    study = parse_study(
        {
            "study": "x",
            "survey": {"patch": {"per_sky": N_PATCH}} | survey,
            "degradations": {"reference": {}, "cut": {"operations": list(operations)}},
        }
    )
    return specs.degrade(study, "cut", split, patches)


def degraded(
    folder: Path, spec: dict[str, Any], path: Path, *constants: Path
) -> np.ndarray:
    degrade_maps.run(spec, path, folder / "tiles.h5", constants)
    with h5py.File(folder / "tiles.h5") as file:
        expected = [{} for _ in spec["operations"]]
        if constants:
            expected = json.loads(constants[0].read_text())
        assert json.loads(file.attrs["constants"]) == expected
        return Maps.of(file, "tiles")[:]


def fitted(folder: Path, spec: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    fit_constants.run(spec, path, folder / "constants.json")
    return json.loads((folder / "constants.json").read_text())


def test_constants_are_those_of_fiducial_skies(tmp_path: Path) -> None:
    path = skies(tmp_path / "skies.h5")
    spec = spec_of(LOWPASS, HIGH, noise="none")
    constants = fitted(tmp_path, spec, path)
    with h5py.File(path) as file:
        kappa = np.concatenate(file["kappa"][: fit_constants.SKIES], axis=1)
    kappa = kappa - kappa.mean(axis=(2, 3), keepdims=True)
    with h5py.File(path) as file:
        survey = SkyFile(file, spec).survey
    smooth = parsed(**LOWPASS).apply(
        Patches(kappa, survey), {}, np.random.default_rng(0)
    )
    sigma = smooth.kappa.std(axis=(1, 2, 3))
    # up to the floor, a per cent of the noise whose random numbers are others
    assert constants == [{}, {"low_0": pytest.approx(sigma, rel=1e-3)}]


@pytest.mark.parametrize("noise", ["before", "after", "none"])
def test_noise_is_fitted_where_the_operation_sees_it(tmp_path: Path, noise) -> None:
    path = skies(tmp_path / "skies.h5")
    constants = fitted(tmp_path, spec_of(HIGH, noise=noise), path)
    clean = fitted(tmp_path, spec_of(HIGH, noise="none"), path)
    if noise == "before":
        # 0.4 / √(2.5 arcmin⁻² × 3018 arcmin²)
        total = np.hypot(clean[0]["low_0"], 0.4 / np.sqrt(2.5 * (60 * 29.3 / 32) ** 2))
        assert constants[0]["low_0"] == pytest.approx(total, rel=0.01)
    else:
        assert constants == clean


def test_other_splits_have_the_constants_of_the_fiducial(tmp_path: Path) -> None:
    fiducial = skies(tmp_path / "fiducial.h5")
    constants = fitted(tmp_path, spec_of(HIGH, noise="none"), fiducial)
    other = skies(tmp_path / "test.h5", seed=2)
    spec = spec_of(HIGH, split="test", noise="none")
    tiles = degraded(tmp_path, spec, other, tmp_path / "constants.json")
    assert tiles.shape == (N_SKY, N_PATCH, PIXELS, PIXELS, N_BINS)
    with h5py.File(other) as file:
        kappa = np.moveaxis(file["kappa"][:].astype(float), 1, -1)
    kappa -= kappa.mean(axis=(2, 3), keepdims=True)
    expected = np.where(kappa >= constants[0]["low_0"], kappa, 0)
    assert np.allclose(tiles, expected, rtol=0, atol=1e-7)


def test_mock_observations_have_other_noise_than_the_fit(tmp_path: Path) -> None:
    """Constants and observations are made of the same skies."""
    path = skies(tmp_path / "skies.h5")
    spec = spec_of({"operation": "keep_convergence", "by": "quantile",
                    "ranges": [[0.999, 1]]})  # fmt: skip
    fitted(tmp_path, spec, path)
    tiles = degraded(tmp_path, spec, path, tmp_path / "constants.json")
    # with the same noise, these would be exactly one per mille
    area = (tiles[: fit_constants.SKIES] != 0).mean(axis=(0, 1, 2, 3))
    assert not np.allclose(area, 1e-3, atol=1e-5)
    assert area == pytest.approx([1e-3] * N_BINS, rel=0.9)


def test_patches_outside_the_footprint_do_not_matter(tmp_path: Path) -> None:
    """Neither for constants nor for tiles, whatever the noise and the effects."""
    selected = [0, 2, 4]
    results = []
    for change in (None, np.s_[1::2]):
        path = skies(tmp_path / "skies.h5", change=change)
        for noise in ("before", "after"):
            spec = spec_of(
                LOWPASS, HIGH, {"operation": "randomize_phases"}, patches=selected,
                noise=noise, intrinsic_alignment={"a_ia": 1.0, "eta_ia": 0.5},
            )  # fmt: skip
            constants = fitted(tmp_path, spec, path)
            tiles = degraded(tmp_path, spec, path, tmp_path / "constants.json")
            assert tiles.shape[1] == len(selected)
            results.append((constants, tiles))
    for one, other in zip(results[:2], results[2:], strict=True):
        assert one[0] == other[0] and np.array_equal(one[1], other[1])


def test_footprint_selects_the_patches_of_its_indices(tmp_path: Path) -> None:
    path = skies(tmp_path / "skies.h5")
    every = degraded(tmp_path, spec_of(noise="none"), path)
    some = degraded(tmp_path, spec_of(noise="none", patches=[1, 3]), path)
    assert np.array_equal(some, every[:, [1, 3]])


def test_degradations_share_noise_and_effects(tmp_path: Path) -> None:
    path = skies(tmp_path / "skies.h5")
    effects = {"intrinsic_alignment": {"a_ia": {"prior": [-2, 2], "fiducial": 0.0}}}
    reference = degraded(tmp_path, spec_of(split="test", **effects), path)
    spec = spec_of(HIGH, split="test", **effects)
    fitted(tmp_path, spec_of(HIGH, **effects), path)
    cut = degraded(tmp_path, spec, path, tmp_path / "constants.json")
    kept = cut != 0
    assert 0.1 < kept.mean() < 0.25
    # tiles are stored in half precision, with one scale for each sky
    assert np.allclose(cut[kept], reference[kept], rtol=1e-3)


def test_constants_that_cannot_be_fitted_are_one_line(tmp_path: Path) -> None:
    path = skies(tmp_path / "skies.h5")
    impossible = {"operation": "keep_convergence", "ranges": [[90, None]]}
    with pytest.raises(InfoscopeError) as caught:
        fitted(tmp_path, spec_of(LOWPASS, impossible), path)
    assert str(caught.value) == (
        "keep_convergence: ranges: [(90.0, None)] (sigma) contain no pixel of bin 1 at "
        "the fiducial cosmology; widen them"
    )
    assert not (tmp_path / "constants.json").exists()


def test_skies_that_are_not_finite_name_the_file(tmp_path: Path) -> None:
    path = skies(tmp_path / "skies.h5")
    with h5py.File(path, "r+") as file:
        values = file["kappa"][:]
        values[1, 0, 0, 3, 4] = np.nan
        file["kappa"][:] = values
    for run in (degraded, fitted):
        with pytest.raises(InfoscopeError) as caught:
            run(tmp_path, spec_of(), path)
        assert str(caught.value) == (
            f"{path}: sky 1: has values that are not finite; delete the file and run "
            "again"
        )
