"""Time of lognormal skies, compared with that of their spherical transforms.

    OMP_NUM_THREADS=1 PYTHONPATH=workflow python benchmarks/skies.py

For each nside, the table lists the seconds per sky, the seconds of its transforms alone
(one synthesis per shell, up to ℓ = 2 nside, single precision, one thread), their ratio,
and the costs per cosmology: reading its matter power from the table, computing the
spectra of the shells, and computing the spectra of the underlying Gaussian fields. Best
of three. The table itself is computed once per study.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import ducc0
import numpy as np

from infoscope.cosmology.boltzmann import matter_of, tabulate
from infoscope.cosmology.config import CosmologyConfig
from infoscope.cosmology.matter import MatterTable
from infoscope.maps.harmonics import ell_of_alm
from infoscope.skies.fields import gaussian_spectrum, sum_of_shells
from infoscope.skies.shells import map_weights, shell_edges, shell_spectra
from infoscope.survey.survey import read_nz

COSMOLOGY = CosmologyConfig()
THETA = np.array([COSMOLOGY.fiducial.omega_m, COSMOLOGY.fiducial.sigma_8])
NZ = read_nz(Path(__file__).parents[1] / "resources/nz/des_like.txt")
WIDTH_MPC = 100.0


def best(function: Callable[[], object], repeats: int = 3) -> float:
    """Shortest time of a call, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def transforms(n_shell: int, nside: int) -> None:
    """Synthesise as many maps as a sky has shells."""
    lmax = 2 * nside
    rings = ducc0.healpix.Healpix_Base(nside, "RING").sht_info()
    alm = np.ones((1, len(ell_of_alm(lmax))), np.complex64)
    out = np.empty((1, 12 * nside**2), np.float32)
    for _ in range(n_shell):
        ducc0.sht.synthesis(alm=alm, map=out, spin=0, lmax=lmax, nthreads=1, **rings)


def main() -> None:
    """Print the table."""
    start = time.perf_counter()
    table = tabulate(COSMOLOGY)
    print(f"table of matter, once a study: {time.perf_counter() - start:.1f} s")
    print(f"one cosmology by CAMB: {best(lambda: matter_of(THETA, COSMOLOGY)):.2f} s")
    print("nside shells  sky/s transforms/s ratio | matter/s spectra/s gaussian/s")
    for nside in (64, 128, 256, 512):
        print(row(table, nside))


def row(table: MatterTable, nside: int) -> str:
    """Measure one resolution."""
    matter = table.at(THETA)
    edges = shell_edges(matter.background, NZ, WIDTH_MPC)
    weights = map_weights(matter.background, NZ, edges)
    spectra = shell_spectra(matter, edges, 2 * nside)
    gaussian = [gaussian_spectrum(cl) for cl in spectra]
    rng = np.random.default_rng(1)
    sky = best(lambda: sum_of_shells(gaussian, weights, nside, rng, True))
    floor = best(lambda: transforms(len(spectra), nside))
    of_table = best(lambda: table.at(THETA).power(0.5, np.ones(1)))
    of_spectra = best(lambda: shell_spectra(matter, edges, 2 * nside))
    of_gaussian = best(lambda: [gaussian_spectrum(cl) for cl in spectra])
    return (
        f"{nside:5d} {len(spectra):6d} {sky:6.3f} {floor:12.3f} {sky / floor:5.2f}"
        f" | {of_table:8.3f} {of_spectra:9.3f} {of_gaussian:10.3f}"
    )


if __name__ == "__main__":
    main()
