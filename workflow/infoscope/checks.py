"""Mistakes that show only when the config meets the survey: found before any job."""

from __future__ import annotations

import numpy as np

from infoscope.config import Study
from infoscope.degradations import check
from infoscope.errors import InfoscopeError
from infoscope.survey import RedshiftDistribution, Survey


def check_study(study: Study, nz: RedshiftDistribution) -> None:
    """Refuse degradations that are impossible for the survey of a study.

    Raises
    ------
    InfoscopeError
        One line that names the key.
    """
    fiducial = study.cosmology.fiducial
    survey = Survey(
        nside=study.survey.nside,
        tile_nside=study.survey.tile_nside,
        sigma_e=study.survey.sigma_e,
        omega_m=fiducial.omega_m,
        h=study.cosmology.h,
        mean_z=nz.mean,
        n_gal_arcmin2=np.full(len(nz.density), study.survey.n_gal_arcmin2),
    )
    for name, degradation in study.degradations.items():
        noise = degradation.noise or study.survey.noise
        place = "survey.base_operations"
        try:
            left = check(survey, study.survey.base_operations, noise)
            place = f"degradations.{name}.operations"
            check(left, degradation.operations, noise)
        except InfoscopeError as error:
            raise InfoscopeError(f"config: {place}.{error}") from None
