"""Rule `tabulate_scales`: resolution and non-linear scale of each redshift bin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from infoscope.cosmology.boltzmann import matter_of
from infoscope.cosmology.config import CosmologyConfig
from infoscope.files.atomic import atomic_path
from infoscope.survey.survey import read_nz
from infoscope.theory.scales import scales_of_bins


def run(spec: dict[str, Any], nz_file: Path, output: Path) -> None:
    """Tabulate comoving lengths that characterise each bin.

    Parameters
    ----------
    spec
        `cosmology` and `pixel_arcmin`.
    nz_file
        Table of n(z).
    output
        CSV file with a row for each bin.
    """
    cosmology = CosmologyConfig.model_validate(spec["cosmology"])
    theta = np.array([cosmology.fiducial.omega_m, cosmology.fiducial.sigma_8])
    pixel = float(np.radians(spec["pixel_arcmin"] / 60))
    table = scales_of_bins(matter_of(theta, cosmology), read_nz(nz_file), pixel)
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)
