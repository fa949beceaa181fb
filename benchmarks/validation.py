"""Time of comparing skies with theory: CAMB once, and a sky against its transforms.

    OMP_NUM_THREADS=1 PYTHONPATH=workflow python benchmarks/validation.py [nside ...]

Prints CPU time on one thread, best of three. A sky has four bins, and each needs two
transforms.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from infoscope.cosmology.config import CosmologyConfig
from infoscope.maps.harmonics import analysis, synthesis
from infoscope.maps.pixel_window import pixel_window
from infoscope.survey.survey import read_nz
from infoscope.theory.camb_spectra import lensing_spectra
from infoscope.theory.compare_skies import band_edges, measure

NZ = read_nz(Path(__file__).parents[1] / "resources/nz/des_like.txt")
COSMOLOGY = CosmologyConfig()
N_BINS = len(NZ.density)


def best_of_three(run: Callable[[], object]) -> float:
    """CPU seconds of the fastest run."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def main(nside: int) -> None:
    """Print a line."""
    theta = np.array([COSMOLOGY.fiducial.omega_m, COSMOLOGY.fiducial.sigma_8])
    kappa = np.random.default_rng(1).standard_normal((N_BINS, 12 * nside**2))
    edges = band_edges(nside, pixel_averaged=False)
    fwhm = np.full(N_BINS, 0.01)
    theory = best_of_three(lambda: lensing_spectra(theta, COSMOLOGY, NZ, 2 * nside))
    window = best_of_three(lambda: pixel_window(nside, 2 * nside))
    sky = best_of_three(lambda: measure(kappa, edges, fwhm))
    alone = best_of_three(lambda: synthesis(analysis(kappa), nside))
    print(
        f"nside {nside}: CAMB {theory:.1f} s, pixel window {window:.1f} s, "
        f"a sky {sky:.2f} s, {sky / alone:.2f} x its transforms",
        flush=True,
    )


if __name__ == "__main__":
    for value in [int(value) for value in sys.argv[1:]] or [64, 128, 256, 512]:
        main(value)
