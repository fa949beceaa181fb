"""Rule `validate_skies`: spectra and one-point statistics of the fiducial skies."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.cosmology.config import CosmologyConfig
from infoscope.cosmology.parameters import comoving_distance_mpc
from infoscope.files.atomic import atomic_path
from infoscope.files.hdf5 import open_for_reading
from infoscope.maps.harmonics import pixel_side
from infoscope.maps.pixel_window import pixel_window
from infoscope.skies.cut_skies import FULL_SKY
from infoscope.survey.survey import read_nz
from infoscope.theory.camb_spectra import lensing_spectra
from infoscope.theory.compare_skies import (
    TOLERANCE,
    band_edges,
    compare,
    histograms,
    measure,
    one_point,
    smoothing_scale,
)
from infoscope.vocabulary import Agreement

log = logging.getLogger(__name__)


def run(spec: dict[str, Any], skies: list[Path], nz_file: Path, output: Path) -> None:
    """Compare skies with the lensing spectra of CAMB; differences are warnings.

    Parameters
    ----------
    spec
        `cosmology`, `nside`, and `pixel_averaged`, whether the maps contain averages
        over pixels.
    skies
        Shards of the fiducial skies, which have full-sky maps.
    nz_file
        Table of n(z).
    output
        skies.csv, with a row for each pair of bins and band. skies_pairs.csv,
        skies_moments.csv and skies_histograms.csv are written beside it.
    """
    cosmology = CosmologyConfig.model_validate(spec["cosmology"])
    nz, nside = read_nz(nz_file), spec["nside"]
    fiducial = cosmology.fiducial
    theta = np.array([fiducial.omega_m, fiducial.sigma_8])
    edges = band_edges(nside, spec["pixel_averaged"])
    theory = lensing_spectra(theta, cosmology, nz, int(edges[-1]) - 1)
    if spec["pixel_averaged"]:
        theory *= pixel_window(nside, int(edges[-1]) - 1) ** 2
    chi = cosmology.h * comoving_distance_mpc(nz.mean, theta[0], cosmology.h)
    scale = smoothing_scale(chi, pixel_side(nside))
    measured = []
    for path in skies:
        with open_for_reading(path) as file:
            for i in range(len(file[FULL_SKY])):
                kappa = np.asarray(file[FULL_SKY][i], dtype=float)
                measured.append(measure(kappa, edges, scale / chi))
    bands, pairs = compare(np.array([sky.spectra for sky in measured]), theory, edges)
    scales = [0.0, scale]
    fwhm_arcmin = np.degrees(np.outer(scales, 1 / chi)) * 60
    for name, table in {
        output.name: bands,
        "skies_pairs.csv": pairs,
        "skies_moments.csv": one_point(measured, scales, fwhm_arcmin),
        "skies_histograms.csv": histograms(measured, scales),
    }.items():
        with atomic_path(output.with_name(name)) as temporary:
            table.to_csv(temporary, index=False)
    for pair in pairs[pairs["verdict"] == Agreement.DIFFERS].to_dict("records"):
        log.warning(
            "warning: spectrum of bins %d and %d differs from theory: amplitude by "
            "%+.1f %%, one band by %+.1f σ; tolerance %g %%",
            pair["bin_i"], pair["bin_j"], 100 * pair["deviation"],
            pair["largest_deviation_sigma"], 100 * TOLERANCE,
        )  # fmt: skip
    counts = pairs["verdict"].value_counts().items()
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in counts)
    log.info("%d skies, spectra of pairs of bins: %s", len(measured), verdicts)
