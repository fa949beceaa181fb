"""Rule `forecast_fisher`: Fisher forecast for the spectra of Gaussian fields."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.cosmology.config import CosmologyConfig
from infoscope.effects.config import parse_effects
from infoscope.files.atomic import atomic_path
from infoscope.survey.survey import read_nz
from infoscope.theory.fisher import (
    PREDICTED,
    fisher_matrix,
    marginalised,
    modes_of_a_tile,
    noise_spectrum,
    spectra_and_derivatives,
    widths_in_prior,
    widths_without_prior,
)


def run(spec: dict[str, Any], nz_file: Path, output: Path) -> None:
    """Compute the Fisher matrix of one tile and the widths that follow from it.

    Parameters
    ----------
    spec
        `cosmology`, `shell_width_mpc`, `nside`, `tile_nside`, `effects`, and `sigma_e`
        (0 without noise) and `n_gal_arcmin2`, each one number or one per bin.
    nz_file
        Table of n(z).
    output
        CSV file with two rows: without and with the prior.
    """
    cosmology = CosmologyConfig.model_validate(spec["cosmology"])
    ell, f_sky = modes_of_a_tile(spec["nside"], spec["tile_nside"])
    effects = parse_effects(spec["effects"])
    spectra, derivatives = spectra_and_derivatives(
        cosmology, read_nz(nz_file), spec["shell_width_mpc"], ell[-1], effects
    )
    noise = noise_spectrum(
        *(np.array(spec[key], float) for key in ("sigma_e", "n_gal_arcmin2"))
    )
    covariance = spectra[ell] + noise * np.eye(spectra.shape[1])
    matrix = marginalised(
        fisher_matrix(covariance, derivatives[:, ell], f_sky * (2 * ell + 1)),
        [value.prior for effect in effects for value in effect.sampled.values()],
    )
    rows = [
        {
            "prior": prior,
            **dict(zip(PREDICTED, map(float, widths), strict=True)),
            "fisher_omega_m_omega_m": float(matrix[0, 0]),
            "fisher_omega_m_s8": float(matrix[0, 1]),
            "fisher_s8_s8": float(matrix[1, 1]),
            "ell_min": int(ell[0]),
            "ell_max": int(ell[-1]),
            "f_sky": f_sky,
        }
        for prior, widths in (
            ("none", widths_without_prior(matrix, cosmology.fiducial)),
            ("box", widths_in_prior(matrix, cosmology.fiducial, cosmology.prior)),
        )
    ]
    with atomic_path(output) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
