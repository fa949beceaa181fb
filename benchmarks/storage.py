"""Size and speed of stored skies and tiles, and the effect of rounding them.

    OMP_NUM_THREADS=1 NPROC=1 PYTHONPATH=workflow python benchmarks/storage.py [NSIDE …]

Patches of one lognormal sky, 48 of 29.3° with nside / 2 pixels along a side, are
written in several ways, with checksums where HDF5 allows them: the convergence, the
alignment terms, tiles with shape noise, and tiles of which three quarters are masked.
For each way, the table lists the size, as a fraction of that
in single precision, and the speed of writing, of reading everything, and of reading
tiles in random pieces as a training run does. Speeds are in MB of single precision per
CPU second, read from the system's cache (the disk adds to this, but has less to read).
Filters of the package hdf5plugin are measured if it is installed.

A second table lists the largest error of half precision in annuli of the Fourier plane
at ℓ ≤ 2 nside: as a fraction of the power of any combination of the bins (the largest
eigenvalue of C⁻¹E), of shape noise, and of the scatter of the spectra of a patch, √(2 /
n_modes) C_ℓ.

    … benchmarks/storage.py --training

Trains both estimators on the tiles of some degradations, unchanged and rounded, with
the same seeds, and prints the validation losses in nat.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from infoscope.cosmology.boltzmann import matter_of, tabulate
from infoscope.cosmology.config import CosmologyConfig
from infoscope.cosmology.parameters import omega_m_s8
from infoscope.degradations.degrade import degrade, fit
from infoscope.degradations.patches import Constants, Patches
from infoscope.estimators.batches import Inputs
from infoscope.estimators.config import TrainingConfig
from infoscope.estimators.kinds.cnn import CNN
from infoscope.estimators.kinds.power_spectrum import PowerSpectrum
from infoscope.estimators.training import Bounds, train
from infoscope.files.precision import HALF, power_of_two, tiles_in_piece
from infoscope.maps.patches import cut
from infoscope.skies.grid import grid
from infoscope.skies.simulators.lognormal import Lognormal
from infoscope.study.config import parse_study
from infoscope.survey.survey import Survey, read_nz

COSMOLOGY = CosmologyConfig()
THETA = np.array([COSMOLOGY.fiducial.omega_m, COSMOLOGY.fiducial.sigma_8])
NZ = read_nz(Path(__file__).parents[1] / "resources/nz/des_like.txt")
N_GAL, SIGMA_E = 2.5, 0.4
SIDE_DEG, NUMBER = 29.3, 48
WIDTH = 1.5  # of annuli, in fundamental modes
PIECES = 100
REPEATS = 2


@dataclass(frozen=True)
class Way:
    """A way to store maps: what is done to them before, and the filters of HDF5."""

    name: str
    encode: Callable[[np.ndarray], np.ndarray]
    filters: dict[str, Any] = field(default_factory=dict)


def single(maps: np.ndarray) -> np.ndarray:
    """Leave maps as they are."""
    return maps


def half(maps: np.ndarray) -> np.ndarray:
    """Round to half precision with a scale, like `files.precision.Maps`."""
    return (maps / power_of_two(maps)).astype(HALF)


def rounded(maps: np.ndarray) -> np.ndarray:
    """Round to the ten bits of half precision, but stay in single."""
    bits = maps.view(np.uint32)
    return (bits + np.uint32(1 << 12) & ~np.uint32((1 << 13) - 1)).view(np.float32)


def ways() -> Iterator[Way]:
    """Yield all ways, those in use first."""
    checked = {"fletcher32": True}
    lzf = checked | {"compression": "lzf", "shuffle": True}
    gzip = checked | {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    yield Way("single", single, checked)
    yield Way("half", half, checked)
    for name, filters in (("lzf", lzf), ("gzip 1", gzip)):
        yield Way(f"single, {name}", single, filters)
        yield Way(f"half, {name}", half, filters)
        yield Way(f"ten bits, {name}", rounded, filters)
    yield Way("scale-offset, 6 digits", single, {"scaleoffset": 6})
    try:
        plugin = import_module("hdf5plugin")
    except ModuleNotFoundError:
        return
    packed = dict(plugin.Bitshuffle(cname="zstd", clevel=1))
    yield Way("single, bitshuffle zstd", single, checked | packed)
    yield Way("ten bits, bitshuffle zstd", rounded, checked | packed)
    zstd = dict(plugin.Zstd(clevel=1)) | {"shuffle": True}
    yield Way("half, zstd", half, checked | zstd)


def best(function: Callable[[], object]) -> float:
    """Shortest processor time of a call, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def lognormal_sky(nside: int) -> np.ndarray:
    """Patches of convergence and alignment terms, (4, n_bins, n_patch, side, side)."""
    rngs = [np.random.default_rng(3)]
    matter = matter_of(THETA, COSMOLOGY)
    (maps,) = Lognormal().skies(matter, NZ, nside, rngs)
    return np.stack([cut(each, SIDE_DEG, nside // 2, NUMBER) for each in maps])


def survey_of(pixels: int) -> Survey:
    """DES-like bins."""
    n_bins = len(NZ.density)
    return Survey(
        SIDE_DEG, pixels, *THETA[:1], COSMOLOGY.h, NZ.mean, np.full(n_bins, N_GAL),
        np.full(n_bins, SIGMA_E),
    )  # fmt: skip


def tiles_of(
    kappa: np.ndarray, operations: list[dict[str, Any]], noise: str, seed: int = 1
) -> np.ndarray:
    """Degrade the patches of a sky."""
    study = parse_study(
        {"study": "x", "degradations": {"reference": {"operations": operations}}}
    )
    chosen = study.degradations["reference"].operations
    rngs = [np.random.default_rng([seed, i]) for i in range(4)]
    patches = Patches(kappa.astype(float), survey_of(kappa.shape[-1]))
    constants: list[Constants] = [{} for _ in chosen]
    if any(operation.needs_fit for operation in chosen):
        constants = fit(patches, chosen, noise, *rngs[2:])
    return degrade(patches, chosen, noise, constants, *rngs[:2])


def measure(way: Way, maps: np.ndarray, chunk: tuple[int, ...]) -> str:
    """Write and read maps in one way."""
    megabytes = maps.nbytes / 1e6
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "maps.h5")

        def write() -> None:
            with h5py.File(path, "w") as file:
                file.create_dataset(
                    "maps", data=way.encode(maps), chunks=chunk, **way.filters
                )

        def read() -> None:
            with h5py.File(path) as file:
                np.multiply(file["maps"][:], 1, dtype=np.float32)

        def read_pieces() -> None:
            rng = np.random.default_rng(1)
            with h5py.File(path) as file:
                for start in chunk[1] * rng.integers(
                    maps.shape[1] // chunk[1], size=PIECES
                ):
                    piece = file["maps"][0, start : start + chunk[1]]
                    np.multiply(piece, 1, dtype=np.float32)

        writing = megabytes / best(write)
        share = path.stat().st_size / maps.nbytes
        reading = megabytes / best(read)
        pieces = PIECES * megabytes * chunk[1] / maps.shape[1] / best(read_pieces)
    return f"{way.name:26s} {share:6.3f} {writing:8.0f} {reading:8.0f} {pieces:8.0f}"


def sizes_and_speeds(nside: int) -> None:
    """Print the table of one resolution."""
    sky = lognormal_sky(nside)
    noisy = tiles_of(sky[0], [], "before")[None]
    high = {"operation": "keep_convergence", "ranges": [[0.75, None]], "by": "quantile"}
    masked = tiles_of(sky[0], [high], "before")[None]
    # the mean of a tile is subtracted: masked pixels are constant in a bin
    for name, maps, chunk in (
        ("convergence", sky[None, 0], (1, 1, *sky.shape[2:])),
        ("alignment", sky[None, 1:], (1, 1, 1, *sky.shape[2:])),
        ("tiles, noise", noisy, ()),
        ("tiles, a quarter kept", masked, ()),
    ):
        half_tile = HALF.itemsize * maps[0, 0].size
        pieces = chunk or (1, tiles_in_piece(maps.shape[1], half_tile), *maps.shape[2:])
        print(
            f"\n{name}, nside {nside}, {maps.nbytes / 1e6:.1f} MB in single precision"
        )
        print(f"{'':26s} {'size':>6s} {'write':>8s} {'read':>8s} {'pieces':>8s}")
        for way in ways():
            print(measure(way, np.ascontiguousarray(maps), pieces), flush=True)


def errors(nside: int) -> str:
    """Measure what half precision does to the convergence, without noise."""
    kappa = lognormal_sky(nside)[0].astype(float)
    kappa -= kappa.mean(axis=(-2, -1), keepdims=True)
    scale = power_of_two(kappa)
    error = half(kappa) * np.float64(scale) - kappa
    pixels = kappa.shape[-1]
    number = np.hypot(*np.meshgrid(*2 * [np.fft.fftfreq(pixels, 1 / pixels)]))
    annulus = np.where(number > 0, number // WIDTH, -1)
    last = 2 * nside * np.radians(SIDE_DEG) / (2 * np.pi)
    worst = []
    modes = [np.fft.fft2(maps) for maps in (error, kappa)]
    for index in range(int(last / WIDTH)):
        inside = annulus == index
        of_error, signal = (
            (chosen @ chosen.conj().T).real / chosen.shape[1]
            for chosen in (each[..., inside].reshape(len(kappa), -1) for each in modes)
        )
        combination = np.linalg.eigvals(np.linalg.solve(signal, of_error)).real.max()
        # power of white noise of a pixel
        noise = survey_of(pixels).shape_noise ** 2 * pixels**2
        scatter = np.sqrt(2 / inside.sum()) * np.diag(signal)
        auto = np.diag(of_error)
        worst.append([combination, (auto / noise).max(), (auto / scatter).max()])
    return f"{nside:5d} " + " ".join(f"{x:12.1e}" for x in np.max(worst, axis=0))


LOWPASS = {"operation": "lowpass", "scale_mpc_h": 100, "profile": "tophat"}
DEGRADATIONS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "reference": ([], "before"),
    "low-pass 100 Mpc/h": ([LOWPASS], "before"),
    "high-pass 100 Mpc/h": ([LOWPASS | {"operation": "highpass"}], "before"),
    "flat spectra": ([{"operation": "flatten_spectrum"}], "before"),
    "low-pass, no noise": ([LOWPASS], "none"),
}
SKIES = {"train": 256, "validation": 128}
SEEDS = 3


def training(nside: int = 64) -> None:
    """Print validation losses with and without rounding."""
    table = tabulate(COSMOLOGY)
    bounds = Bounds.of_prior(COSMOLOGY.prior)
    skies: dict[str, list[np.ndarray]] = {}
    targets = {}
    for split, number in SKIES.items():
        theta = grid(COSMOLOGY, split, 0, number, 1)
        targets[split] = bounds.scale(omega_m_s8(theta))
        skies[split] = []
        for i, row in enumerate(theta):
            rngs = [np.random.default_rng([i, len(split)])]
            (maps,) = Lognormal().skies(table.at(row), NZ, nside, rngs)
            skies[split].append(cut(maps[0], SIDE_DEG, nside // 2, NUMBER))
    estimators = {
        "power_spectrum": PowerSpectrum(steps=1000),
        "cnn": CNN(steps=300),
    }
    settings = TrainingConfig(evaluate_every=100, patience=99)
    print(f"{'':22s} {'':15s} {'single':>9s} {'half':>9s} {'difference':>21s}  seeds")
    for label, (operations, noise) in DEGRADATIONS.items():
        tiles = {
            split: np.stack(
                [
                    tiles_of(k, operations, noise, seed)
                    for seed, k in enumerate(of_split)
                ]
            )
            for split, of_split in skies.items()
        }
        both = [tiles, {split: _rounded(values) for split, values in tiles.items()}]
        for name, config in estimators.items():
            losses = np.array(
                [
                    [
                        train(
                            config,
                            settings,
                            *(Inputs.of_array(t[s], targets[s]) for s in SKIES),
                            seed,
                            lambda _: None,
                        ).best.validation_nll
                        for seed in range(SEEDS)
                    ]
                    for t in both
                ]
            )
            difference = losses[1] - losses[0]
            print(
                f"{label:22s} {name:15s} "
                f"{losses[0].mean():9.4f} {losses[1].mean():9.4f} "
                f"{difference.mean():9.4f} ± {difference.std(ddof=1) / SEEDS**0.5:.4f}"
                f"  ± {losses[0].std(ddof=1):.4f}",
                flush=True,
            )


def _rounded(tiles: np.ndarray) -> np.ndarray:
    scale = np.array([power_of_two(sky) for sky in tiles], np.float32)
    scale = scale.reshape(-1, *[1] * (tiles.ndim - 1))
    return (tiles / scale).astype(HALF).astype(np.float32) * scale


def main(resolutions: list[int]) -> None:
    """Print all tables except that of training runs."""
    for nside in resolutions:
        sizes_and_speeds(nside)
    print("\nerror of half precision as a share of")
    print("nside  combination        noise  cosmic scatter")
    for nside in resolutions:
        print(errors(nside), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("NPROC", "1")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nside", type=int, nargs="*", default=[64, 256, 512])
    parser.add_argument("--training", action="store_true")
    options = parser.parse_args()
    if options.training:
        training()
    else:
        main(options.nside)
