"""Mistakes in more than a single key: found before any job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from infoscope.cosmology.parameters import comoving_distance_mpc
from infoscope.degradations.degrade import check
from infoscope.errors import InfoscopeError
from infoscope.study import specs
from infoscope.study.config import Study, parse_study
from infoscope.survey.footprint import selected_tiles
from infoscope.survey.redshifts import redshift_distribution
from infoscope.survey.survey import RedshiftDistribution, Survey
from infoscope.vocabulary import REFERENCE

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

FEWEST_SHELLS = 4


def refuse_templates(files: Iterable[Path]) -> None:
    """Refuse study files that are more than data.

    Snakemake runs the Python code in a file with the key `__use_yte__`, and takes it
    out. By now that has happened; but no study that is passed on may depend on it.

    Raises
    ------
    InfoscopeError
        Names the file.
    """
    for path in files:
        try:
            known = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            message = " ".join(str(error).split())
            raise InfoscopeError(
                f"config: {path}: is no plain YAML: {message}"
            ) from None
        if isinstance(known, Mapping) and "__use_yte__" in known:
            raise InfoscopeError(
                f"config: {path}: __use_yte__: Snakemake runs code in such a file; "
                "write out what it makes"
            )


def checked_study(
    config: Mapping[str, Any],
) -> tuple[Study, RedshiftDistribution, list[int] | None]:
    """Validate a config, and read what it names.

    Returns
    -------
        The study, its n(z), and the tiles that its mask selects (None without a mask).

    Raises
    ------
    InfoscopeError
        One line that names the first key that is wrong.
    """
    study = parse_study(config)
    survey = study.survey
    nz = redshift_distribution(specs.nz(study), survey.nz.paths)
    check_study(study, nz)
    if survey.mask is None:
        return study, nz, None
    tiles = selected_tiles(
        Path(survey.mask), survey.nside, survey.tile_nside, survey.mask_fraction
    )
    return study, nz, tiles


def check_study(study: Study, nz: RedshiftDistribution) -> None:
    """Refuse what is impossible for the survey of a study.

    Raises
    ------
    InfoscopeError
        One line that names the key.
    """
    study.simulator.check(
        len(nz.density), study.survey.nside, study.cosmology.h, _scales(study)
    )
    _check_shells(study, nz)
    survey = survey_of(study, nz)
    for name, degradation in study.degradations.items():
        noise = degradation.noise or study.survey.noise
        place = "survey.base_operations"
        try:
            left = check(survey, study.survey.base_operations, noise)
            place = f"degradations.{name}.operations"
            check(left, degradation.operations, noise)
        except InfoscopeError as error:
            raise InfoscopeError(f"config: {place}.{error}") from None


def survey_of(study: Study, nz: RedshiftDistribution) -> Survey:
    """Survey of a study, as operations know it."""
    return Survey(
        nside=study.survey.nside,
        tile_nside=study.survey.tile_nside,
        omega_m=study.cosmology.fiducial.omega_m,
        h=study.cosmology.h,
        mean_z=nz.mean,
        n_gal_arcmin2=_of_each_bin(study, "n_gal_arcmin2", len(nz.density)),
        sigma_e=_of_each_bin(study, "sigma_e", len(nz.density)),
    )


def survey_of_reference(study: Study, nz: RedshiftDistribution) -> Survey:
    """Apply the operations of the reference to the survey of a study."""
    operations = specs.operations(study, REFERENCE)
    noise = study.degradations[REFERENCE].noise or study.survey.noise
    return check(survey_of(study, nz), operations, noise)


def depth_mpc(study: Study, nz: RedshiftDistribution) -> float:
    """Comoving distance in Mpc of the last galaxies, at the fiducial."""
    omega_m, h = study.cosmology.fiducial.omega_m, study.cosmology.h
    return float(comoving_distance_mpc(np.array(nz.last_z), omega_m, h)[0])


def _scales(study: Study) -> dict[str, list[float]]:
    """Comoving lengths in Mpc/h that operations look for, by key of the config."""
    used = {"survey.base_operations": study.survey.base_operations} | {
        f"degradations.{name}.operations": degradation.operations
        for name, degradation in study.degradations.items()
    }
    return {
        f"{place}.{i}.scale_mpc_h": np.atleast_1d(scale).tolist()
        for place, operations in used.items()
        for i, operation in enumerate(operations)
        if (scale := getattr(operation, "scale_mpc_h", None))
    }


def _check_shells(study: Study, nz: RedshiftDistribution) -> None:
    """Refuse shells so thick that there are few between us and the last galaxies."""
    last = depth_mpc(study, nz)
    width = study.simulator.shell_width
    if width > last / FEWEST_SHELLS:
        raise InfoscopeError(
            f"config: simulator.shell_width_mpc: {width:g} Mpc is more than 1 / "
            f"{FEWEST_SHELLS} of the {last:.0f} Mpc to the last galaxies; choose at "
            f"most {last / FEWEST_SHELLS:.0f}"
        )


def _of_each_bin(study: Study, key: str, n_bins: int) -> Float[NDArray, " n_bins"]:
    value = getattr(study.survey, key)
    if isinstance(value, list) and len(value) != n_bins:
        raise InfoscopeError(
            f"config: survey.{key}: has {len(value)} numbers, but n(z) has {n_bins} "
            "bins; give one number for each bin, or the same for all"
        )
    return np.broadcast_to(value, n_bins)
