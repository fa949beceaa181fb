r"""Whether simulated skies have the spectra that they should have, and their values.

The error of a spectrum averaged over a band and over :math:`n` skies is, for Gaussian
fields,

.. math:: \sigma^2 = \frac{\sum_\ell (2\ell + 1)
          \left[C^{ii}_\ell C^{jj}_\ell + (C^{ij}_\ell)^2\right]}
          {n \left[\sum_\ell (2\ell + 1)\right]^2}.

Non-Gaussian skies scatter more. Where the scatter of the skies is larger, it is the
error that decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from infoscope.maps import harmonics
from infoscope.maps.tiles import nside_of

Array = NDArray[np.float64]

# What skies may differ by from the theory: halofit claims no more for its matter power
# (Takahashi et al. 2012, 5 % for k < 1 h/Mpc), and it is a quarter of σ(S_8) of a tile
# of the default survey.
TOLERANCE = 0.05
# Probability that any of the bands of skies that are right is said to differ
FALSE_ALARM = 0.01
LOWEST_ELL = 8
BANDS_PER_OCTAVE = 2
SCALE_MPC_H = 8.0
RANGE = (-5.0, 10.0)  # of the histograms, in units of the standard deviation
HISTOGRAM = np.linspace(*RANGE, 76)
AGREES, DIFFERS, UNDECIDED = "agrees", "differs", "undecided"


def band_edges(nside: int, pixel_averaged: bool) -> NDArray[np.int64]:
    """First multipoles of bands from ℓ = 8 to 2 nside, and one beyond the last.

    Maps that are averages over pixels hold aliases of smaller scales too, 0.5 % of the
    power of the convergence at ℓ = nside and 6 % at 2 nside: their bands end at
    ℓ = nside.
    """
    last = nside if pixel_averaged else 2 * nside
    bands = round(BANDS_PER_OCTAVE * np.log2(last / LOWEST_ELL))
    edges = np.geomspace(LOWEST_ELL, last + 1, bands + 1).round()
    return edges.astype(np.int64)


def band_average(spectra: Array, edges: NDArray[np.int64]) -> Array:
    """Average spectra (…, n_ell) over the modes of each band, to (…, n_band)."""
    modes = 2 * np.arange(edges[-1]) + 1
    total = np.add.reduceat(modes * spectra[..., : edges[-1]], edges[:-1], axis=-1)
    average: Array = total / np.add.reduceat(modes, edges[:-1])
    return average


def cosmic_variance(theory: Array, edges: NDArray[np.int64], n_sky: int) -> Array:
    """Return the standard deviation of band averages of Gaussian skies.

    Parameters
    ----------
    theory
        Spectra (n_bins, n_bins, n_ell).
    edges
        Bands.
    n_sky
        Number of skies whose mean is taken.

    Returns
    -------
        Standard deviations (n_bins, n_bins, n_band).
    """
    auto = np.einsum("iil->il", theory)
    variance = auto[:, None] * auto + theory**2
    modes = np.add.reduceat(2 * np.arange(edges[-1]) + 1, edges[:-1])
    deviation: Array = np.sqrt(band_average(variance, edges) / modes / n_sky)
    return deviation


def smallest_scale(chi_mpc_h: Array, pixel: float) -> float:
    """Scale in Mpc/h to smooth with: 8, doubled until no bin has it below a pixel.

    Parameters
    ----------
    chi_mpc_h
        Comoving distance (n_bins,) of each bin.
    pixel
        Side of a pixel in radians.
    """
    scale = SCALE_MPC_H
    while scale / chi_mpc_h.max() < pixel:
        scale *= 2
    return scale


@dataclass(frozen=True)
class Measured:
    """What was measured of one sky; smoothings are none and a Gaussian beam.

    Attributes
    ----------
    spectra
        Band averages (n_bins, n_bins, n_band).
    variance, skewness, s_3
        ⟨κ²⟩, ⟨κ³⟩/⟨κ²⟩^(3/2) and ⟨κ³⟩/⟨κ²⟩², each (2, n_bins).
    histogram
        Density (2, n_bins, n_histogram) of κ in units of its standard deviation.
    """

    spectra: Array
    variance: Array
    skewness: Array
    s_3: Array
    histogram: Array


def measure(kappa: Array, edges: NDArray[np.int64], fwhm: Array) -> Measured:
    """Measure spectra and one-point statistics of a sky.

    Parameters
    ----------
    kappa
        Convergence (n_bins, n_pix) in RING order.
    edges
        Bands.
    fwhm
        Full width at half maximum (n_bins,) of the beams in radians.
    """
    nside = nside_of(kappa.shape[1])
    lmax = harmonics.lmax_of(nside)
    alm = harmonics.analysis(kappa)
    spectra = band_average(harmonics.spectra(alm, lmax), edges)
    ell = np.arange(lmax + 1)
    moments, histograms = [], []
    for values, coefficients, width in zip(kappa, alm, fwhm, strict=True):
        beam = np.exp(-ell * (ell + 1) * width**2 / (16 * np.log(2)))
        coefficients *= beam[harmonics.ell_of_alm(lmax)]
        smooth = harmonics.synthesis(coefficients[None], nside)[0]
        for field in (values, smooth):
            centred = field - field.mean()
            square = centred * centred
            second, third = square.mean(), (square @ centred) / len(centred)
            centred /= np.sqrt(second)
            # given as a range: with edges it would cost as much as the transforms
            counts, _ = np.histogram(centred, len(HISTOGRAM) - 1, RANGE)
            histograms.append(counts / len(centred) / np.diff(HISTOGRAM))
            moments.append((second, third / second**1.5, third / second**2))
    of_maps = np.array(moments).reshape(len(kappa), 2, 3).transpose(2, 1, 0)
    variance, skewness, s_3 = of_maps
    densities = np.array(histograms).reshape(len(kappa), 2, -1).swapaxes(0, 1)
    return Measured(spectra, variance, skewness, s_3, densities)


def threshold(n_test: int) -> float:
    """Return how many σ one of so many exceeds with probability `FALSE_ALARM`."""
    return float(norm.isf(FALSE_ALARM / (2 * n_test)))


def verdict(deviation: float, sigma: float, n_test: int) -> str:
    """Put a relative deviation into a word.

    Parameters
    ----------
    deviation, sigma
        Relative deviation from the theory, and its standard error.
    n_test
        Number of deviations that are judged together.

    Returns
    -------
        `differs` if it is larger than `TOLERANCE` beyond chance, `agrees` if two σ
        show that it is not, or else `undecided`.
    """
    if abs(deviation) - threshold(n_test) * sigma > TOLERANCE:
        return DIFFERS
    return AGREES if abs(deviation) + 2 * sigma < TOLERANCE else UNDECIDED


def compare(
    spectra: Array, theory: Array, edges: NDArray[np.int64]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare spectra of skies with those of a theory.

    Parameters
    ----------
    spectra
        Band averages (n_sky, n_bins, n_bins, n_band) of each sky.
    theory
        Spectra (n_bins, n_bins, n_ell).
    edges
        Bands.

    Returns
    -------
    bands, pairs
        A row for each pair of bins and band, and a row for each pair: the deviation
        there is that of the amplitude, a mean of the bands weighted by their cosmic
        variance, and χ² is that of the bands.
    """
    n_sky, n_bins = spectra.shape[:2]
    expected = band_average(theory, edges)
    sigma = cosmic_variance(theory, edges, n_sky)
    which = [(i, j) for i in range(n_bins) for j in range(i, n_bins)]
    n_test = len(which) * (len(edges) - 1)
    bands, pairs = [], []
    for i, j in which:
        relative = spectra[:, i, j] / expected[i, j] - 1
        cosmic = sigma[i, j] / expected[i, j]
        mean = relative.mean(axis=0)
        error = _standard_error(relative)
        rows = []
        for b, (start, stop) in enumerate(zip(edges, edges[1:], strict=False)):
            both = max(cosmic[b], error[b])
            rows.append(
                {
                    "bin_i": i + 1,
                    "bin_j": j + 1,
                    "ell_min": start,
                    "ell_max": stop - 1,
                    "ell": band_average(np.arange(stop) * 1.0, edges[b : b + 2])[0],
                    "measured": spectra[:, i, j, b].mean(),
                    "error": error[b] * expected[i, j, b],
                    "theory": expected[i, j, b],
                    "cosmic_variance": sigma[i, j, b],
                    "deviation": mean[b],
                    "deviation_sigma": mean[b] / both,
                    "verdict": verdict(mean[b], both, n_test),
                }
            )
        weight = cosmic**-2 / (cosmic**-2).sum()
        amplitude = relative @ weight
        both = max((cosmic**-2).sum() ** -0.5, float(_standard_error(amplitude)))
        differs = any(row["verdict"] == DIFFERS for row in rows)
        pairs.append(
            {
                "bin_i": i + 1,
                "bin_j": j + 1,
                "skies": n_sky,
                "bands": len(rows),
                "deviation": amplitude.mean(),
                "deviation_error": both,
                "largest_deviation_sigma": max(
                    (row["deviation_sigma"] for row in rows), key=abs
                ),
                "chi2": ((mean / cosmic) ** 2).sum(),
                "verdict": DIFFERS
                if differs
                else verdict(amplitude.mean(), both, len(which)),
            }
        )
        bands += rows
    return pd.DataFrame(bands), pd.DataFrame(pairs)


def one_point(skies: list[Measured], scales: list[float], fwhm: Array) -> pd.DataFrame:
    """Tabulate moments of the convergence, means over skies and their errors.

    Parameters
    ----------
    skies
        One for each sky.
    scales
        Smoothing scales in Mpc/h, 0 for none.
    fwhm
        The same in arcmin, shape (n_scales, n_bins).

    Returns
    -------
        A row for each scale and bin.
    """
    rows = []
    for s, scale in enumerate(scales):
        for b, width in enumerate(fwhm[s]):
            row = {"bin": b + 1, "scale_mpc_h": scale, "fwhm_arcmin": width}
            for name, values in (
                ("sigma", [np.sqrt(sky.variance[s, b]) for sky in skies]),
                ("skewness", [sky.skewness[s, b] for sky in skies]),
                ("s_3", [sky.s_3[s, b] for sky in skies]),
            ):
                row[name] = float(np.mean(values))
                row[f"{name}_error"] = float(_standard_error(np.array(values)))
            rows.append(row)
    return pd.DataFrame(rows)


def histograms(skies: list[Measured], scales: list[float]) -> pd.DataFrame:
    """Tabulate distributions of κ in units of its standard deviation.

    Returns
    -------
        A row for each scale, bin and interval of κ / σ_κ.
    """
    mean = np.mean([sky.histogram for sky in skies], axis=0)
    return pd.DataFrame(
        [
            {
                "bin": b + 1,
                "scale_mpc_h": scale,
                "low": low,
                "high": high,
                "density": density,
            }
            for s, scale in enumerate(scales)
            for b in range(mean.shape[1])
            for low, high, density in zip(
                HISTOGRAM, HISTOGRAM[1:], mean[s, b], strict=False
            )
        ]
    )


def _standard_error(values: Array) -> Array:
    """Error of the mean over the first axis, of at least two values."""
    error: Array = np.std(values, axis=0, ddof=1) / np.sqrt(len(values))
    return error
