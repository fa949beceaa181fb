"""Rule `forecast_fisher`: Fisher forecast for the spectra of Gaussian fields."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.cosmology.config import CosmologyConfig
from infoscope.degradations.operation import load
from infoscope.degradations.sky_files import parse_operations
from infoscope.effects.config import parse_effects
from infoscope.files.atomic import atomic_path
from infoscope.survey.survey import Survey, read_nz
from infoscope.theory.fisher import (
    PREDICTED,
    after_operations,
    fisher_matrix,
    marginalised,
    spectra_and_derivatives,
    widths_in_prior,
    widths_without_prior,
)
from infoscope.theory.modes import Modes

log = logging.getLogger(__name__)

COLUMNS = (
    "degradation", "prior", *PREDICTED, "fisher_omega_m_omega_m", "fisher_omega_m_s8",
    "fisher_s8_s8", "ell_min", "ell_max", "modes",
)  # fmt: skip


def run(
    spec: dict[str, Any],
    nz_file: Path,
    output: Path,
    operation_files: Sequence[Path] = (),
) -> None:
    """Compute the Fisher matrix of one patch and the widths that follow from it.

    Parameters
    ----------
    spec
        `cosmology`, `shell_width_mpc`, `lmax` (band limit of the patches), `side_deg`,
        `pixels`, `sigma_e` and `n_gal_arcmin2` (each one number or one per bin), and
        for each of the `degradations` its name (`degradation`), `operations` (those of
        the survey first), `noise` and `effects`.
    nz_file
        Table of n(z).
    output
        CSV file with two rows per degradation, without and with the prior. There are
        none if an operation is not linear.
    operation_files
        Files with user-defined operations.

    Raises
    ------
    InfoscopeError
        If an operation is impossible.
    """
    for path in operation_files:
        load(path)
    cosmology = CosmologyConfig.model_validate(spec["cosmology"])
    nz = read_nz(nz_file)
    n_bins = len(nz.density)
    survey = Survey(
        side_deg=spec["side_deg"],
        pixels=spec["pixels"],
        omega_m=cosmology.fiducial.omega_m,
        h=cosmology.h,
        mean_z=nz.mean,
        # one number holds for all bins
        n_gal_arcmin2=np.broadcast_to(spec["n_gal_arcmin2"], n_bins),
        sigma_e=np.broadcast_to(spec["sigma_e"], n_bins),
    )
    modes = Modes.of(survey.side, survey.pixels, spec["lmax"])
    in_common = {
        "ell_min": float(modes.ell.min()),
        "ell_max": spec["lmax"],
        "modes": int(modes.degeneracy.sum()),
    }
    # spectra and their derivatives with the same effects are computed once
    known: dict[str, tuple[Any, Any]] = {}
    rows = []
    for degradation in spec["degradations"]:
        name = degradation["degradation"]
        effects = parse_effects(degradation["effects"])
        key = json.dumps(degradation["effects"], sort_keys=True)
        if key not in known:
            spectra, derivatives = spectra_and_derivatives(
                cosmology, nz, spec["shell_width_mpc"], spec["lmax"], effects
            )
            known[key] = modes.spectra(spectra), modes.spectra(derivatives)
        field = after_operations(
            *known[key],
            modes.ell,
            survey,
            parse_operations(degradation),
            degradation["noise"],
        )
        if field is None:
            log.info("%s: no forecast, because an operation is not linear", name)
            continue
        matrix = marginalised(
            fisher_matrix(field, modes.degeneracy),
            [value.prior for effect in effects for value in effect.sampled.values()],
        )
        for prior, widths in (
            ("none", widths_without_prior(matrix, cosmology.fiducial)),
            ("box", widths_in_prior(matrix, cosmology.fiducial, cosmology.prior)),
        ):
            elements = (matrix[0, 0], matrix[0, 1], matrix[1, 1])
            values = [name, prior, *map(float, (*widths, *elements))]
            rows.append(dict(zip(COLUMNS, values, strict=False)) | in_common)
        log.info("%s: σ(S_8) = %.4g with the prior", name, widths[0])
    with atomic_path(output) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
