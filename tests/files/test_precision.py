"""Errors of maps in half precision are negligible in all units and on all scales."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from infoscope.cosmology.boltzmann import matter_of
from infoscope.cosmology.config import CosmologyConfig
from infoscope.degradations.degrade import degrade
from infoscope.degradations.patches import Patches
from infoscope.effects.kinds.intrinsic_alignment import LARGEST, IntrinsicAlignment
from infoscope.files.precision import (
    ALIGNMENT,
    CONVERGENCE,
    NOISY_TILES,
    Maps,
    power_of_two,
)
from infoscope.maps.patches import cut
from infoscope.skies.simulators.lognormal import Lognormal
from infoscope.study.config import parse_study
from infoscope.survey.survey import Survey, read_nz

ROOT = Path(__file__).parents[2]
NSIDE, SIDE_DEG, PIXELS, NUMBER = 64, 40, 44, 25
NEGLIGIBLE = 1e-4
WIDTH = 1.5  # of annuli in the Fourier plane, in fundamental modes


def stored(
    values: np.ndarray, dtype: np.dtype = NOISY_TILES, leading: int = 1
) -> np.ndarray:
    """Write maps to a file in memory and read them again."""
    with h5py.File("x.h5", "w", driver="core", backing_store=False) as file:
        chunk = (*(1 for _ in range(leading)), *values.shape[leading:])
        maps = Maps.create(file, "maps", dtype, values.shape, chunk, leading)
        for index in np.ndindex(values.shape[:leading]):
            maps[index] = values[index]
        assert file["maps"].fletcher32
        return Maps.of(file, "maps")[:]


@pytest.mark.parametrize("unit", [1e-30, 1e-9, 1e-3, 1, 1e9, 1e30])
def test_half_precision_has_a_relative_error_in_every_unit(unit: float) -> None:
    rng = np.random.default_rng(1)
    # from the largest to a millionth of it
    values = unit * rng.choice([-1, 1], (3, 5, 7)) * 10 ** rng.uniform(-6, 0, (3, 5, 7))
    values = values.astype(np.float32)
    read = stored(values)
    assert read.dtype == np.float32
    assert not np.array_equal(read, values)
    np.testing.assert_allclose(read, values, rtol=2.0**-11)


def test_each_map_has_its_own_scale() -> None:
    values = np.ones((2, 3, 4), np.float32) * [[[1e-6]], [[1e6]]]
    values *= np.array([1, 1e-4, 1e-8])[:, None]
    np.testing.assert_allclose(stored(values, leading=2), values, rtol=2.0**-11)
    with h5py.File("x.h5", "w", driver="core", backing_store=False) as file:
        maps = Maps.create(
            file, "maps", NOISY_TILES, values.shape, (1, 1, 4), leading=2
        )
        for index in np.ndindex(2, 3):
            maps[index] = values[index]
        maps = Maps.of(file, "maps")
        for index in (1, (1,), (1, 2), np.s_[1, :2], np.s_[0, ..., -1], np.s_[0, 1, 2]):
            np.testing.assert_allclose(maps[index], values[index], rtol=2.0**-11)
            assert maps[index].shape == values[index].shape


def test_zeros_and_what_is_not_finite() -> None:
    assert not stored(np.zeros((2, 3), np.float32)).any()
    for bad in (np.nan, np.inf, -np.inf):
        assert power_of_two(np.array([1.0, bad])) == 1
        assert not np.isfinite(stored(np.array([[1, bad]], np.float32))[0, 1])
    assert power_of_two(np.array([-3.0, 1.0])) * 2**14 == 2
    assert 2**14 <= 1 / power_of_two(np.ones(1)) <= 2**15


def test_sizes_are_those_of_the_types(tmp_path: Path) -> None:
    sizes = {}
    for dtype in (CONVERGENCE, ALIGNMENT):
        path = tmp_path / "x.h5"
        with h5py.File(path, "w") as file:
            maps = Maps.create(file, "maps", dtype, (1, 100_000), (1, 100_000))
            maps[0] = np.random.default_rng(1).standard_normal(100_000)
        sizes[dtype] = path.stat().st_size
        assert sizes[dtype] == pytest.approx(dtype.itemsize * 100_000, rel=0.05)
    assert sizes[ALIGNMENT] < 0.53 * sizes[CONVERGENCE]


def test_single_precision_is_exact_and_old_files_are_read() -> None:
    values = np.random.default_rng(1).standard_normal((2, 5)).astype(np.float32)
    assert np.array_equal(stored(values, CONVERGENCE), values)
    with h5py.File("x.h5", "w", driver="core", backing_store=False) as file:
        file["tiles"] = values
        assert np.array_equal(Maps.of(file, "tiles")[1], values[1])
        assert np.array_equal(Maps.of(file, "tiles")[:, 2:], values[:, 2:])


@pytest.fixture(scope="module")
def sky() -> np.ndarray:
    """Patches of the convergence and alignment terms of a lognormal sky."""
    cosmology = CosmologyConfig()
    theta = np.array([cosmology.fiducial.omega_m, cosmology.fiducial.sigma_8])
    nz = read_nz(ROOT / "resources/nz/des_like.txt")
    matter = matter_of(theta, cosmology)
    rngs = [np.random.default_rng(3)]
    (maps,) = Lognormal().skies(matter, nz, NSIDE, rngs)
    patches = np.stack([cut(each, SIDE_DEG, PIXELS, NUMBER) for each in maps])
    return patches - patches.mean(axis=(-2, -1), keepdims=True)


def spectra(patches: np.ndarray) -> np.ndarray:
    """Auto- and cross-spectra (n_annulus, n_bins, n_bins) up to ℓ = 2 nside."""
    mode = np.fft.fftfreq(PIXELS, 1 / PIXELS)
    k = np.hypot(*np.meshgrid(mode, mode))
    annulus = (k / WIDTH).astype(int)
    n_annulus = int(2 * NSIDE * np.radians(SIDE_DEG) / (2 * np.pi) / WIDTH)
    modes = np.fft.fft2(patches.astype(float))
    found = []
    for number in range(n_annulus):
        inside = modes[..., (annulus == number) & (k > 0)].reshape(len(patches), -1)
        found.append((inside @ inside.conj().T).real / inside.shape[1])
    return np.array(found)


def share(error: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Largest share that an error has in the power of any combination of the bins.

    The largest eigenvalue of C⁻¹ E in each annulus up to 2 nside: no filter and no
    mixing of bins, not even whitening, makes the error larger beside what is measured.
    """
    solved = np.linalg.solve(spectra(signal), spectra(error))
    return np.linalg.eigvals(solved).real.max(axis=1)


@pytest.mark.parametrize(
    "operations",
    [
        [],
        [{"operation": "highpass", "ell": 100}],
        [{"operation": "lowpass", "ell": 60}],
        [{"operation": "flatten_spectrum"}],
        [{"operation": "highpass", "ell": 60}, {"operation": "flatten_spectrum"}],
    ],
    ids=lambda steps: "+".join(step["operation"] for step in steps) or "none",
)
def test_rounded_tiles_are_those_of_the_sky(sky: np.ndarray, operations) -> None:
    study = parse_study(
        {"study": "x", "degradations": {"reference": {"operations": operations}}}
    )
    survey = Survey(
        SIDE_DEG, PIXELS, 0.3, 0.7, np.array([0.3, 0.5, 0.75, 0.95]), np.full(4, 2.5),
        np.full(4, 0.4),
    )  # fmt: skip
    rngs = [np.random.default_rng(i) for i in range(2)]
    chosen = study.degradations["reference"].operations
    constants = [{} for _ in chosen]
    tiles = degrade(Patches(sky[0], survey), chosen, "before", constants, *rngs)
    error = stored(tiles[None])[0].astype(float) - tiles
    assert error.any()
    errors, maps = (np.moveaxis(part.astype(float), -1, 0) for part in (error, tiles))
    # without what a filter has removed but for a tenth of the amplitude
    power = spectra(maps)[:, 0, 0]
    kept = power / power.max() > 1e-2
    assert kept.mean() > 0.4
    assert share(errors, maps)[kept].max() < NEGLIGIBLE
    # the criterion can fail
    step = 2.0**-5 * np.abs(maps).max()
    coarse = step * np.round(maps / step)
    assert share(coarse - maps, maps)[kept].max() > NEGLIGIBLE


def test_rounded_alignment_of_the_largest_amplitude(sky: np.ndarray) -> None:
    """Beside the convergence without noise."""
    kappa, terms = sky[0], sky[1:]
    rounded = stored(terms[None], ALIGNMENT, leading=2)[0]
    mean_z = np.array([0.3, 0.5, 0.75, 0.95])
    for eta_ia in (-LARGEST, 0.0, LARGEST):
        whole, half = (
            IntrinsicAlignment(a_ia=LARGEST, eta_ia=eta_ia).apply(
                np.zeros_like(kappa), some, mean_z
            )
            for some in (terms, rounded)
        )
        assert share(half - whole, kappa + whole).max() < NEGLIGIBLE
