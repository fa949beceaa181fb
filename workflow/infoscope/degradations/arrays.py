"""Apply operations to arrays in memory, without a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from infoscope.degradations.config import AnyOperation
from infoscope.degradations.degrade import degrade, fit
from infoscope.degradations.operation import Operation
from infoscope.degradations.patches import Constants, Patches
from infoscope.errors import InfoscopeError
from infoscope.survey.survey import Survey
from infoscope.vocabulary import NoiseOrder

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray


def apply_operations(
    kappa: Float[NDArray, "n_bins *n_patch side side"],
    survey: Survey,
    operations: Sequence[Operation | Mapping[str, Any]],
    rng: np.random.Generator,
    fiducial: Float[NDArray, "n_bins *n_fiducial side side"] | None = None,
) -> Float[NDArray, "n_new *n_patch side side"]:
    """Apply operations to flat square maps of the convergence.

    Parameters
    ----------
    kappa
        Convergence of each bin, of one patch or of several. It contains the noise that
        operations see; none is added.
    survey
        Size of the patches, and redshifts, densities and noise of the bins.
    operations
        Operations in the order in which they are applied, as in the config: the name
        `operation`, and parameters.
    rng
        Random number generator of the operations.
    fiducial
        Patches of the fiducial cosmology with the same noise, for operations whose
        constants are fitted, such as ranges in units of the fiducial σ_κ.

    Returns
    -------
        Degraded convergence, in single precision. The mean of each patch and bin is
        subtracted before the first operation.

    Raises
    ------
    InfoscopeError
        If an operation or an array is impossible.

    Examples
    --------
    >>> survey = Survey(
    ...     side_deg=10, pixels=64, omega_m=0.3, h=0.7, mean_z=np.array([0.5, 0.9]),
    ...     n_gal_arcmin2=np.array([2.5, 2.5]), sigma_e=np.array([0.4, 0.4]),
    ... )
    >>> kappa = np.random.default_rng(1).standard_normal((2, 64, 64))
    >>> operations = [
    ...     {"operation": "sum_bins"},
    ...     {"operation": "keep_convergence", "ranges": [[1, None]], "of": "tile"},
    ... ]
    >>> degraded = apply_operations(kappa, survey, operations, np.random.default_rng(2))
    >>> degraded.shape, round(float(np.mean(degraded != 0)), 2)
    ((1, 64, 64), 0.16)
    """
    adapter: TypeAdapter[Operation] = TypeAdapter(AnyOperation)
    parsed = [
        item if isinstance(item, Operation) else adapter.validate_python(item)
        for item in operations
    ]
    patches = _patches(kappa, survey, "kappa")
    constants: list[Constants] = [{} for _ in parsed]
    fitted = [operation for operation in parsed if operation.needs_fit]
    if fitted:
        if fiducial is None:
            raise InfoscopeError(
                f"{fitted[0].name_in_config}: needs `fiducial`, patches of the "
                "fiducial cosmology to which its constants are fitted"
            )
        at_fiducial = _patches(fiducial, survey, "fiducial")
        constants = fit(at_fiducial, parsed, NoiseOrder.NONE, rng, rng)
    degraded = degrade(patches, parsed, NoiseOrder.NONE, constants, rng, rng)
    bins_first = np.moveaxis(degraded, -1, 0)
    return bins_first.reshape(len(bins_first), *np.shape(kappa)[1:])


def _patches(
    kappa: Float[NDArray, "n_bins *n_patch side side"], survey: Survey, name: str
) -> Patches:
    """Collect patches in an array with one axis for them."""
    values = np.asarray(kappa, np.float64)
    side = survey.pixels
    if values.shape != (survey.n_bins, *values.shape[1:-2], side, side):
        raise InfoscopeError(
            f"{name}: has the shape {values.shape} instead of ({survey.n_bins}, …, "
            f"{side}, {side}), the numbers of bins and pixels of the survey"
        )
    return Patches(values.reshape(survey.n_bins, -1, side, side), survey)
