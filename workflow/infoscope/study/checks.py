"""Checks of a study that involve several keys or files, before any job runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from infoscope.cosmology.parameters import comoving_distance_mpc
from infoscope.degradations.degrade import BrokenOperation, check
from infoscope.degradations.locality import fault_of
from infoscope.errors import InfoscopeError
from infoscope.models import file_of
from infoscope.study import digests, specs
from infoscope.study.config import Study, parse_study
from infoscope.survey.footprint import selected_patches
from infoscope.survey.redshifts import redshift_distribution
from infoscope.survey.survey import RedshiftDistribution, Survey
from infoscope.vocabulary import REFERENCE, NoiseOrder

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

MIN_SHELLS = 4


def refuse_templates(files: Iterable[Path]) -> None:
    """Refuse study files that contain code.

    If a file has the key `__use_yte__`, Snakemake runs the Python code in the file and
    removes the key. This happens before the check, whose purpose is that nobody shares
    such files.

    Raises
    ------
    InfoscopeError
        If there is such a file, or one that is not plain YAML.
    """
    for path in files:
        try:
            content = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            message = " ".join(str(error).split())
            raise InfoscopeError(
                f"config: {path}: is not plain YAML: {message}"
            ) from None
        if isinstance(content, Mapping) and "__use_yte__" in content:
            raise InfoscopeError(
                f"config: {path}: __use_yte__: would let the file run code; remove the "
                "key and write the values themselves"
            )


def checked_study(
    config: Mapping[str, Any],
) -> tuple[Study, RedshiftDistribution, list[int] | None]:
    """Validate a config, and read n(z) and the mask.

    Returns
    -------
        The study, its n(z), and the indices of the patches in its mask (None without a
        mask).

    Raises
    ------
    InfoscopeError
        One line that names the first wrong key.
    """
    study = parse_study(config)
    survey = study.survey
    nz = redshift_distribution(specs.nz(study), survey.nz.paths)
    check_study(study, nz)
    if survey.mask is None:
        return study, nz, None
    patches = selected_patches(Path(survey.mask), survey.patch, survey.mask_fraction)
    return study, nz, patches


def check_study(study: Study, nz: RedshiftDistribution) -> None:
    """Check that the simulator and all operations are possible for the survey.

    Raises
    ------
    InfoscopeError
        One line that names the first wrong key.
    """
    study.simulator.check(
        len(nz.density), study.survey.nside, study.cosmology.h, _scales(study)
    )
    _check_shells(study, nz)
    survey = survey_of(study, nz)
    tested: set[str] = set()
    for name, degradation in study.degradations.items():
        noise = degradation.noise or study.survey.noise
        place = "survey.base_operations"
        try:
            reference = check(survey, study.survey.base_operations, noise)
            place = f"degradations.{name}.operations"
            check(reference, degradation.operations, noise)
        except InfoscopeError as error:
            raise InfoscopeError(f"config: {place}.{error}") from None
        _check_local(study, name, survey, noise, tested)


def _check_local(
    study: Study,
    degradation: str,
    survey: Survey,
    noise: NoiseOrder,
    tested: set[str],
) -> None:
    """Check that user-defined operations act on each patch alone.

    Lists of operations that other degradations begin with are in `tested`.
    """
    every = specs.operations(study, degradation)
    n_base = len(study.survey.base_operations)
    for i, operation in enumerate(every):
        if file_of(type(operation)).is_relative_to(digests.PACKAGE):
            continue
        chain = [noise, *(item.model_dump_json() for item in every[: i + 1])]
        if (key := "\n".join(chain)) in tested:
            continue
        tested.add(key)
        place = f"degradations.{degradation}.operations.{i - n_base}"
        if i < n_base:
            place = f"survey.base_operations.{i}"
        try:
            fault = fault_of(survey, every[: i + 1], noise)
        except BrokenOperation as error:
            raise InfoscopeError(f"config: {place}: {error}") from None
        except InfoscopeError:
            # not possible with the patches of the test; the job will tell
            continue
        except Exception as error:
            message = " ".join(f"{type(error).__name__}: {error}".split())
            raise InfoscopeError(
                f"config: {place}: {operation.name_in_config}: {message}"
            ) from None
        if fault:
            raise InfoscopeError(
                f"config: {place}: {operation.name_in_config}: {fault}"
            )


def survey_of(study: Study, nz: RedshiftDistribution) -> Survey:
    """Return the survey of a study as operations use it."""
    return Survey(
        side_deg=study.survey.patch.side_deg,
        pixels=study.survey.patch.pixels,
        omega_m=study.cosmology.fiducial.omega_m,
        h=study.cosmology.h,
        mean_z=nz.mean,
        n_gal_arcmin2=_per_bin(study, "n_gal_arcmin2", len(nz.density)),
        sigma_e=_per_bin(study, "sigma_e", len(nz.density)),
    )


def survey_of_reference(study: Study, nz: RedshiftDistribution) -> Survey:
    """Return the survey of a study after the operations of the reference."""
    operations = specs.operations(study, REFERENCE)
    noise = study.degradations[REFERENCE].noise or study.survey.noise
    return check(survey_of(study, nz), operations, noise)


def depth_mpc(study: Study, nz: RedshiftDistribution) -> float:
    """Return the comoving distance in Mpc of the last galaxies, at the fiducial."""
    omega_m, h = study.cosmology.fiducial.omega_m, study.cosmology.h
    return float(comoving_distance_mpc(np.array(nz.last_z), omega_m, h)[0])


def _scales(study: Study) -> dict[str, list[float]]:
    """Return the comoving lengths in Mpc/h of operations, by key of the config."""
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
    """Check that there are at least MIN_SHELLS shells up to the last galaxies."""
    last = depth_mpc(study, nz)
    width = study.simulator.shell_width
    if width > last / MIN_SHELLS:
        raise InfoscopeError(
            f"config: simulator.shell_width_mpc: {width:g} Mpc is more than 1 / "
            f"{MIN_SHELLS} of the {last:.0f} Mpc to the last galaxies; choose at "
            f"most {last / MIN_SHELLS:.0f}"
        )


def _per_bin(study: Study, key: str, n_bins: int) -> Float[NDArray, " n_bins"]:
    value = getattr(study.survey, key)
    if isinstance(value, list) and len(value) != n_bins:
        raise InfoscopeError(
            f"config: survey.{key}: has {len(value)} numbers, but n(z) has {n_bins} "
            "bins; give one number per bin, or one for all bins"
        )
    return np.broadcast_to(value, n_bins)
