"""Time of cutting patches out of skies, and the information that is lost by it.

    OMP_NUM_THREADS=1 PYTHONPATH=workflow python benchmarks/cutting.py [nside ...]

The first table compares simulating a lognormal sky of four bins with cutting its
patches of 29.3° and nside / 2 pixels, best of three, on one thread.

The second one compares patches of Gaussian skies with the exact synthesis of the
coefficients from which the maps were made. In each annulus of the Fourier plane, a cut
patch is the exact one times a transfer function, plus an error that is treated as
noise. The table has the smallest transfer function, the largest power of the error
relative to the shape noise of the default survey, and the information that is lost:
log₂ of the factor by which the Fisher ellipse of (Ω_m, σ_8) grows. Errors are largest
at the poles, because of the quadrature of HEALPix. Bilinear interpolation is shown for
comparison.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ducc0
import healpy
import numpy as np
from operations import best_of_three

from infoscope.cosmology.boltzmann import matter_of
from infoscope.cosmology.config import CosmologyConfig
from infoscope.maps.harmonics import ell_of_alm
from infoscope.maps.patches import band_limit, cut, directions
from infoscope.skies.fields import gaussian_spectrum, sum_of_shells
from infoscope.skies.shells import map_weights, shell_edges, shell_spectra
from infoscope.survey.survey import read_nz
from infoscope.theory.fisher import convergence_spectra

COSMOLOGY = CosmologyConfig()
THETA = np.array([COSMOLOGY.fiducial.omega_m, COSMOLOGY.fiducial.sigma_8])
NZ = read_nz(Path(__file__).parents[1] / "resources/nz/des_like.txt")
WIDTH_MPC, STEP = 100.0, 0.01
SIDE_DEG, NUMBER = 29.3, 48
NOISE = 0.4**2 / 2.5 * np.radians(1 / 60) ** 2  # per steradian
N_BINS = len(NZ.density)


def times(nside: int) -> str:
    """Measure simulating and cutting a sky."""
    matter = matter_of(THETA, COSMOLOGY)
    edges = shell_edges(matter.background, NZ, WIDTH_MPC)
    spectra = [gaussian_spectrum(cl) for cl in shell_spectra(matter, edges, 2 * nside)]
    weights = map_weights(matter.background, NZ, edges)[0]
    rng, kappa = np.random.default_rng(1), np.zeros((N_BINS, 12 * nside**2), np.float32)
    simulating = best_of_three(
        lambda: sum_of_shells(spectra, weights, nside, rng, True)
    )
    cutting = best_of_three(lambda: cut(kappa, SIDE_DEG, nside // 2, NUMBER))
    return (
        f"{nside:5d} {simulating:9.3f} {cutting:8.3f} {1 + cutting / simulating:12.2f}"
    )


def spectra_of(theta: np.ndarray, lmax: int) -> np.ndarray:
    """Return the spectra (ℓ, bin, bin) of a cosmology."""
    matter = matter_of(theta, COSMOLOGY)
    edges = shell_edges(matter.background, NZ, WIDTH_MPC)
    return convergence_spectra(matter, NZ, edges, lmax)


def drawn(cl: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a_ℓm of correlated bins."""
    lmax = len(cl) - 1
    ell = ell_of_alm(lmax)
    normal = rng.standard_normal((2, len(ell), N_BINS)) / np.sqrt(2)
    normal[:, : lmax + 1] *= np.array([np.sqrt(2), 0])[:, None, None]
    factor = np.zeros_like(cl)
    factor[2:] = np.linalg.cholesky(cl[2:])
    return np.einsum("aij,aj->ia", factor[ell], normal[0] + 1j * normal[1])


def losses(nside: int, n_sky: int = 4) -> list[str]:
    """Measure the errors of cut patches."""
    lmax, pixels = 2 * nside, nside // 2
    cl = spectra_of(THETA, lmax)
    slopes = [
        (spectra_of(THETA + step, lmax) - spectra_of(THETA - step, lmax)) / (2 * STEP)
        for step in STEP * np.eye(2)
    ]
    rng = np.random.default_rng(1)
    exact, found, interpolated = [], [], []
    for _ in range(n_sky):
        alm = drawn(cl, rng)
        maps = np.stack([healpy.alm2map(a, nside, lmax=lmax, pol=False) for a in alm])
        places = directions(SIDE_DEG, pixels, NUMBER).reshape(-1, 2)
        shape = (N_BINS, NUMBER, pixels, pixels)
        values = [
            ducc0.sht.synthesis_general(
                alm=a[None], spin=0, lmax=lmax, loc=places, epsilon=1e-10
            )
            for a in alm
        ]
        exact.append(np.reshape(values, shape))
        found.append(cut(maps, SIDE_DEG, pixels, NUMBER))
        bilinear = healpy.get_interp_val(maps, *places.T)
        interpolated.append(np.reshape(bilinear, shape))
    fisher = Fisher(cl, slopes, pixels)
    truth, cuts, lines = np.array(exact), np.array(found), np.array(interpolated)
    polar = slice(0, 1)
    return [
        f"{nside:5d} {name:16s} " + fisher.row(truth[:, :, where], values[:, :, where])
        for name, values, where in (
            ("cut", cuts, slice(None)),
            ("cut, at the pole", cuts, polar),
            ("bilinear", lines, slice(None)),
        )
    ]


class Fisher:
    """Information in annuli of the Fourier plane of a patch."""

    def __init__(self, cl: np.ndarray, slopes: list[np.ndarray], pixels: int) -> None:
        k = 2 * np.pi * np.fft.fftfreq(pixels, np.radians(SIDE_DEG) / pixels)
        self.k = np.hypot(*np.meshgrid(k, k))
        step = 1.5 * 360 / SIDE_DEG
        limit = min(len(cl) - 1, band_limit(2 * pixels, SIDE_DEG, pixels))
        self.annulus = np.where(self.k < limit, self.k // step, -1).astype(int)
        self.annulus[0, 0] = -1
        self.pixel_area = np.radians(SIDE_DEG / pixels) ** 2
        self.cl, self.slopes, self.pixels = cl, slopes, pixels

    def row(self, exact: np.ndarray, cut: np.ndarray) -> str:
        """Compare patches (sky, bin, patch, pixel, pixel)."""
        hann = 1 - np.cos(2 * np.pi * (np.arange(self.pixels) + 0.5) / self.pixels)
        window = np.outer(hann, hann) / np.sqrt((np.outer(hann, hann) ** 2).mean())
        modes = [np.fft.fft2(values * window) for values in (exact, cut)]
        matrix, lossy = np.zeros((2, 2)), np.zeros((2, 2))
        error, transfers = 0.0, []
        for number in range(self.annulus.max() + 1):
            inside = self.annulus == number
            true, seen = (
                np.moveaxis(values[..., inside], 1, 0).reshape(N_BINS, -1)
                for values in modes
            )
            transfer = (seen * true.conj()).real.sum(1) / (np.abs(true) ** 2).sum(1)
            rest = seen - transfer[:, None] * true
            power = (rest @ rest.conj().T).real / rest.shape[1]
            power *= self.pixel_area / self.pixels**2
            ell = round(self.k[inside].mean())
            cl = self.cl[ell] + NOISE * np.eye(N_BINS)
            damped = np.outer(transfer, transfer)
            noisy = self.cl[ell] * damped + NOISE * np.eye(N_BINS) + power
            slopes = [slope[ell] for slope in self.slopes]
            matrix += inside.sum() / 2 * products(cl, slopes)
            lossy += inside.sum() / 2 * products(noisy, [s * damped for s in slopes])
            error = max(error, float(np.diag(power).max() / NOISE))
            transfers.append(transfer)
        bits = np.log2(np.linalg.det(matrix) / np.linalg.det(lossy)) / 2
        return f"{np.min(transfers):9.4f} {error:12.1e} {bits:10.1e}"


def products(cl: np.ndarray, slopes: list[np.ndarray]) -> np.ndarray:
    """Return tr(C⁻¹ C' C⁻¹ C') of one mode for all pairs of parameters."""
    relative = [np.linalg.solve(cl, slope) for slope in slopes]
    return np.array([[np.trace(a @ b) for b in relative] for a in relative])


if __name__ == "__main__":
    chosen = [int(value) for value in sys.argv[1:]] or [64, 128, 256, 512]
    print("nside simulate/s    cut/s  both / first", flush=True)
    for nside in chosen:
        print(times(nside), flush=True)
    print("nside patches           transfer  error/noise  bits lost", flush=True)
    for nside in (value for value in chosen if value <= 256):
        print("\n".join(losses(nside)), flush=True)
