"""Apply a degradation, a list of operations and noise, to patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from infoscope.degradations.operation import Operation
from infoscope.degradations.patches import Constants, Patches, per_bin
from infoscope.errors import InfoscopeError
from infoscope.survey.survey import Survey
from infoscope.vocabulary import NoiseOrder

if TYPE_CHECKING:
    from jaxtyping import Float32
    from numpy.typing import NDArray


class BrokenOperation(InfoscopeError):
    """An operation does not return what its base class asks for."""


def check(survey: Survey, operations: Sequence[Operation], noise: NoiseOrder) -> Survey:
    """Check that operations are possible for a survey.

    Returns
    -------
        The survey after the operations, which may change its bins and its noise.

    Raises
    ------
    InfoscopeError
        One line that starts with the index of the impossible operation in the list.
    """
    for i, operation in enumerate(operations):
        try:
            degraded = operation.check(survey)
        except ValueError as error:
            raise InfoscopeError(f"{i}.{error}") from None
        if noise == "before" and operation.invertible:
            raise InfoscopeError(
                f"{i}.floor: without a floor, noisy maps can be divided by a Gaussian "
                "filter, which removes nothing; choose floor > 0 or profile: tophat"
            )
        if noise == "none" and degraded.noise_factor != survey.noise_factor:
            raise InfoscopeError(
                f"{i}: there is no noise to scale (noise: none); remove the operation"
            )
        survey = degraded
    return survey


def degrade(
    patches: Patches,
    operations: Sequence[Operation],
    noise: NoiseOrder,
    constants: Sequence[Constants],
    noise_rng: np.random.Generator,
    rng: np.random.Generator,
) -> Float32[NDArray, "n_patch side side n_bins"]:
    """Apply operations to patches.

    Parameters
    ----------
    patches
        Noiseless patches.
    operations
        Operations in the order in which they are applied, those of the survey first.
    noise
        Whether noise is added before or after the operations, or not at all.
    constants
        Constants of each operation, from `fit`.
    noise_rng, rng
        Random number generators for the noise (in the same state for every
        degradation) and for the operations.

    Returns
    -------
        Degraded convergence. The mean of each patch and bin is subtracted after noise
        is added, and before the operations.

    Raises
    ------
    InfoscopeError
        If an operation is impossible or returns values that are not finite;
        BrokenOperation if it returns anything but such patches.
    """
    patches = _before_operations(patches, operations, noise, noise_rng)
    for operation, values in zip(operations, constants, strict=True):
        patches = _applied(operation, patches, values, rng)
    if noise == "after":
        patches = _add_noise(patches, noise_rng).without_mean()
    return np.ascontiguousarray(np.moveaxis(patches.kappa, 0, -1), np.float32)


def fit(
    patches: Patches,
    operations: Sequence[Operation],
    noise: NoiseOrder,
    noise_rng: np.random.Generator,
    rng: np.random.Generator,
) -> list[Constants]:
    """Fit the constants of operations to patches of the fiducial cosmology.

    Parameters
    ----------
    patches
        Noiseless patches of skies at the fiducial cosmology.
    operations, noise, noise_rng, rng
        As in `degrade`.

    Returns
    -------
        Constants of each operation, fitted to patches after the operations before it.

    Raises
    ------
    InfoscopeError
        If an operation is impossible, or its constants cannot be fitted;
        BrokenOperation if `fit` returns anything but one number per bin.
    """
    patches = _before_operations(patches, operations, noise, noise_rng)
    constants: list[Constants] = [{} for _ in operations]
    to_fit = [i for i, operation in enumerate(operations) if operation.needs_fit]
    for i, operation in enumerate(operations[: max(to_fit, default=-1) + 1]):
        if i in to_fit:
            constants[i] = _fitted(operation, patches)
        if i < to_fit[-1]:
            patches = _applied(operation, patches, constants[i], rng)
    return constants


def _before_operations(
    patches: Patches,
    operations: Sequence[Operation],
    noise: NoiseOrder,
    noise_rng: np.random.Generator,
) -> Patches:
    """Return the patches on which the first operation acts."""
    degraded = check(patches.survey, operations, noise)
    survey = replace(patches.survey, noise_factor=degraded.noise_factor)
    patches = replace(patches, survey=survey)
    if noise == "before":
        patches = _add_noise(patches, noise_rng)
    return patches.without_mean()


def _add_noise(patches: Patches, rng: np.random.Generator) -> Patches:
    """Add white shape noise with a standard deviation of σ_e / √(n_gal A_pix)."""
    noise = rng.standard_normal(patches.kappa.shape)
    noise *= per_bin(patches.survey.noise_sigma)
    noise += patches.kappa
    return replace(patches, kappa=noise)


def _applied(
    operation: Operation,
    patches: Patches,
    constants: Constants,
    rng: np.random.Generator,
) -> Patches:
    """Apply an operation, and check what it returns."""
    name = operation.name_in_config
    n_bins = operation.check(patches.survey).n_bins
    try:
        applied = operation.apply(patches.read_only(), constants, rng)
    except InfoscopeError as error:
        raise InfoscopeError(f"{name}: {error}") from None
    if not isinstance(applied, Patches):
        raise BrokenOperation(
            f"{name}: `apply` returns {type(applied).__name__} instead of Patches"
        )
    # arrays of JAX too
    kappa = np.asarray(applied.kappa, np.float64)
    expected = (n_bins, *patches.kappa.shape[1:])
    if kappa.shape != expected or applied.survey.n_bins != n_bins:
        raise BrokenOperation(
            f"{name}: `apply` returns patches of the shape {kappa.shape} with "
            f"{applied.survey.n_bins} bins in their survey, but `check` announces "
            f"{expected}"
        )
    if not np.isfinite(kappa).all():
        raise InfoscopeError(
            f"{name}: returns values that are not finite; check its parameters"
        )
    return replace(applied, kappa=kappa)


def _fitted(operation: Operation, patches: Patches) -> Constants:
    """Fit the constants of an operation, and check them."""
    name = operation.name_in_config
    try:
        constants = operation.fit(patches.read_only())
    except InfoscopeError as error:
        raise InfoscopeError(f"{name}: {error}") from None
    if not isinstance(constants, dict):
        raise BrokenOperation(
            f"{name}: `fit` returns {type(constants).__name__} instead of a dictionary "
            "with one list of numbers per constant"
        )
    # plain numbers, which JSON preserves
    plain = {}
    for key, values in constants.items():
        plain[str(key)] = np.asarray(values, np.float64).tolist()
        if np.shape(values) != (patches.survey.n_bins,):
            raise BrokenOperation(
                f"{name}: `fit` returns {key!r} with the shape {np.shape(values)}; "
                f"return one number for each of the {patches.survey.n_bins} bins"
            )
    if not all(np.isfinite(values).all() for values in plain.values()):
        raise InfoscopeError(f"{name}: its constants are not finite: {plain}")
    return plain
