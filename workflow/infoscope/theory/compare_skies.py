r"""Test of the spectra of simulated skies against theory, and one-point statistics.

For Gaussian fields, the variance of a spectrum averaged over a band and over :math:`n`
skies is

.. math:: \sigma^2 = \frac{\sum_\ell (2\ell + 1)
          \left[C^{ii}_\ell C^{jj}_\ell + (C^{ij}_\ell)^2\right]}
          {n \left[\sum_\ell (2\ell + 1)\right]^2}.

Non-Gaussian skies scatter more. Verdicts use the measured scatter of the skies where it
is larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from infoscope.maps import harmonics
from infoscope.maps.harmonics import nside_of
from infoscope.vocabulary import Agreement

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import NDArray

# Relative deviation from the theory that is tolerated. It is the accuracy of the matter
# power of halofit (Takahashi et al. 2012, 5 % for k < 1 h/Mpc), and a quarter of σ(S_8)
# for a tile of the default survey.
TOLERANCE = 0.05
# Probability that correct skies differ significantly in at least one band.
FALSE_ALARM = 0.01
LOWEST_ELL = 8
BANDS_PER_OCTAVE = 2
SCALE_MPC_H = 8.0
HISTOGRAM_RANGE = (-5.0, 10.0)  # in units of the standard deviation
HISTOGRAM_EDGES = np.linspace(*HISTOGRAM_RANGE, 76)


def band_edges(nside: int, pixel_averaged: bool) -> Int[NDArray, " n_edge"]:
    """Edges of bands in ℓ, half an octave wide, from 8 to 2 nside.

    The bands of maps averaged over pixels end at ℓ = nside. Smaller scales are aliased
    into such maps: 0.5 % of the convergence power at ℓ = nside and 6 % at 2 nside.

    Parameters
    ----------
    nside
        HEALPix nside of the maps.
    pixel_averaged
        Whether the values of the maps are averages over pixels.

    Returns
    -------
        First multipole of each band, and the last multipole of all plus one.

    Examples
    --------
    >>> band_edges(16, pixel_averaged=False)
    array([ 8, 11, 16, 23, 33])
    """
    last = nside if pixel_averaged else 2 * nside
    bands = round(BANDS_PER_OCTAVE * np.log2(last / LOWEST_ELL))
    edges = np.geomspace(LOWEST_ELL, last + 1, bands + 1).round()
    return edges.astype(np.int64)


def band_average(
    spectra: Float[NDArray, "*shape n_ell"], edges: Int[NDArray, " n_edge"]
) -> Float[NDArray, "*shape n_band"]:
    """Average spectra over the modes of each band, with weights 2ℓ + 1.

    Examples
    --------
    >>> band_average(np.array([0.0, 0.0, 1.0, 3.0]), np.array([2, 4]))
    array([2.16666667])
    """
    modes = 2 * np.arange(edges[-1]) + 1
    total = np.add.reduceat(modes * spectra[..., : edges[-1]], edges[:-1], axis=-1)
    return total / np.add.reduceat(modes, edges[:-1])


def cosmic_variance(
    theory: Float[NDArray, "n_bins n_bins n_ell"],
    edges: Int[NDArray, " n_edge"],
    n_sky: int,
) -> Float[NDArray, "n_bins n_bins n_band"]:
    """Return the standard deviation of band averages of Gaussian skies.

    Parameters
    ----------
    theory
        Auto- and cross-spectra.
    edges
        Edges of the bands.
    n_sky
        Number of skies that are averaged.
    """
    auto = np.einsum("iil->il", theory)
    variance = auto[:, None] * auto + theory**2
    modes = np.add.reduceat(2 * np.arange(edges[-1]) + 1, edges[:-1])
    return np.sqrt(band_average(variance, edges) / modes / n_sky)


def smoothing_scale(chi_mpc_h: Float[NDArray, " n_bins"], pixel: float) -> float:
    """Smoothing scale in Mpc/h: 8, doubled until every bin resolves it.

    Parameters
    ----------
    chi_mpc_h
        Comoving distance of each bin in Mpc/h.
    pixel
        Side of a pixel in radians.

    Examples
    --------
    >>> smoothing_scale(np.array([900.0, 2200.0]), pixel=0.018)
    64.0
    """
    scale = SCALE_MPC_H
    while scale / chi_mpc_h.max() < pixel:
        scale *= 2
    return scale


@dataclass(frozen=True)
class SkyStatistics:
    """Spectra and one-point statistics of one sky.

    One-point statistics have the unsmoothed maps first, and then the maps smoothed with
    a Gaussian beam.

    Attributes
    ----------
    spectra
        Band averages of the auto- and cross-spectra.
    variance, skewness, s_3
        ⟨κ²⟩, ⟨κ³⟩/⟨κ²⟩^(3/2) and ⟨κ³⟩/⟨κ²⟩².
    histogram
        Probability density of κ in units of its standard deviation.
    """

    spectra: Float[NDArray, "n_bins n_bins n_band"]
    variance: Float[NDArray, "2 n_bins"]
    skewness: Float[NDArray, "2 n_bins"]
    s_3: Float[NDArray, "2 n_bins"]
    histogram: Float[NDArray, "2 n_bins n_interval"]


def measure(
    kappa: Float[NDArray, "n_bins n_pix"],
    edges: Int[NDArray, " n_edge"],
    fwhm: Float[NDArray, " n_bins"],
) -> SkyStatistics:
    """Measure spectra and one-point statistics of a sky.

    Parameters
    ----------
    kappa
        Convergence in RING order.
    edges
        Edges of the bands.
    fwhm
        Full width at half maximum of the beam of each bin in radians.
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
            # With the edges instead of a range, histograms are as slow as transforms.
            counts, _ = np.histogram(centred, len(HISTOGRAM_EDGES) - 1, HISTOGRAM_RANGE)
            histograms.append(counts / len(centred) / np.diff(HISTOGRAM_EDGES))
            moments.append((second, third / second**1.5, third / second**2))
    variance, skewness, s_3 = (
        np.array(moments).reshape(len(kappa), 2, 3).transpose(2, 1, 0)
    )
    densities = np.array(histograms).reshape(len(kappa), 2, -1).swapaxes(0, 1)
    return SkyStatistics(spectra, variance, skewness, s_3, densities)


def threshold(n_test: int) -> float:
    """Return the number of σ that any of `n_test` deviations exceeds by chance.

    The probability is `FALSE_ALARM` for all of them together (Bonferroni).
    """
    return float(norm.isf(FALSE_ALARM / (2 * n_test)))


def verdict(deviation: float, sigma: float, n_test: int) -> str:
    """Compare a relative deviation with the tolerance.

    Parameters
    ----------
    deviation, sigma
        Relative deviation from the theory, and its standard error.
    n_test
        Number of deviations that are tested together.

    Returns
    -------
        `differs` if the deviation exceeds `TOLERANCE` significantly, `agrees` if it is
        below `TOLERANCE` by at least two σ, else `undecided`.

    Examples
    --------
    >>> [verdict(x, 0.01, 40).value for x in (0.0, 0.05, 0.1)]
    ['agrees', 'undecided', 'differs']
    """
    if abs(deviation) - threshold(n_test) * sigma > TOLERANCE:
        return Agreement.DIFFERS
    return (
        Agreement.AGREES
        if abs(deviation) + 2 * sigma < TOLERANCE
        else Agreement.UNDECIDED
    )


def compare(
    spectra: Float[NDArray, "n_sky n_bins n_bins n_band"],
    theory: Float[NDArray, "n_bins n_bins n_ell"],
    edges: Int[NDArray, " n_edge"],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the spectra of skies with theory.

    Parameters
    ----------
    spectra
        Band averages of each sky.
    theory
        Auto- and cross-spectra.
    edges
        Edges of the bands.

    Returns
    -------
    bands, pairs
        One row per pair of bins and band, and one row per pair. In the latter, the
        deviation is that of the amplitude, a mean of the bands weighted by their
        inverse cosmic variance, and χ² is summed over the bands.
    """
    n_sky, n_bins = spectra.shape[:2]
    expected = band_average(theory, edges)
    sigma = cosmic_variance(theory, edges, n_sky)
    bin_pairs = [(i, j) for i in range(n_bins) for j in range(i, n_bins)]
    n_test = len(bin_pairs) * (len(edges) - 1)
    bands, pairs = [], []
    for i, j in bin_pairs:
        relative = spectra[:, i, j] / expected[i, j] - 1
        cosmic = sigma[i, j] / expected[i, j]
        mean = relative.mean(axis=0)
        error = _standard_error(relative)
        rows = []
        for b, (start, stop) in enumerate(zip(edges, edges[1:], strict=False)):
            larger = max(cosmic[b], error[b])
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
                    "deviation_sigma": mean[b] / larger,
                    "verdict": verdict(mean[b], larger, n_test),
                }
            )
        weight = cosmic**-2 / (cosmic**-2).sum()
        amplitude = relative @ weight
        larger = max((cosmic**-2).sum() ** -0.5, float(_standard_error(amplitude)))
        differs = any(row["verdict"] == Agreement.DIFFERS for row in rows)
        pairs.append(
            {
                "bin_i": i + 1,
                "bin_j": j + 1,
                "skies": n_sky,
                "bands": len(rows),
                "deviation": amplitude.mean(),
                "deviation_error": larger,
                "largest_deviation_sigma": max(
                    (row["deviation_sigma"] for row in rows), key=abs
                ),
                "chi2": ((mean / cosmic) ** 2).sum(),
                "verdict": Agreement.DIFFERS
                if differs
                else verdict(amplitude.mean(), larger, len(bin_pairs)),
            }
        )
        bands += rows
    return pd.DataFrame(bands), pd.DataFrame(pairs)


def one_point(
    skies: list[SkyStatistics],
    scales: list[float],
    fwhm: Float[NDArray, "n_scale n_bins"],
) -> pd.DataFrame:
    """Tabulate moments of the convergence: means over skies and standard errors.

    Parameters
    ----------
    skies
        Statistics of each sky.
    scales
        Smoothing scales in Mpc/h; 0 is no smoothing.
    fwhm
        The same scales in arcmin.

    Returns
    -------
        One row per scale and bin.
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


def histograms(skies: list[SkyStatistics], scales: list[float]) -> pd.DataFrame:
    """Tabulate the distribution of κ in units of its standard deviation.

    Returns
    -------
        One row per scale, bin and interval of κ / σ_κ.
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
                HISTOGRAM_EDGES, HISTOGRAM_EDGES[1:], mean[s, b], strict=False
            )
        ]
    )


def _standard_error(
    values: Float[NDArray, " n_sky *shape"],
) -> Float[NDArray, "*shape"]:
    """Return the standard error of the mean over at least two skies."""
    return np.std(values, axis=0, ddof=1) / np.sqrt(len(values))
