"""Test that operations are local: no patch may depend on the rest of the sky.

A degraded patch must be a function of that patch, of constants and of random numbers.
Otherwise it could contain information of other patches, and the posterior of a
degradation could be narrower than that of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from infoscope.degradations.degrade import degrade, fit
from infoscope.degradations.operation import Operation
from infoscope.degradations.patches import Patches, per_bin
from infoscope.survey.survey import Survey
from infoscope.vocabulary import NoiseOrder

PATCHES = 3
TESTED = 1  # numbers drawn for the patches before or after it must not matter


def fault_of(
    survey: Survey, operations: Sequence[Operation], noise: NoiseOrder
) -> str | None:
    """Test that a patch stays the same, bit by bit, if all others change.

    Parameters
    ----------
    survey
        Survey before the operations. Patches contain Gaussian noise with twice its
        shape noise.
    operations
        Operations in the order in which they are applied.
    noise
        Whether noise is added before or after the operations, or not at all.

    Returns
    -------
        What is wrong, and how to change the last operation; None if nothing is.

    Raises
    ------
    InfoscopeError
        If an operation cannot be applied to such patches.
    """
    rng = np.random.default_rng(0)
    shape = (survey.n_bins, PATCHES, survey.pixels, survey.pixels)
    sigma = 2 * per_bin(survey.shape_noise)
    one, other = (Patches(sigma * rng.standard_normal(shape), survey) for _ in range(2))
    other.kappa[:] *= 3
    other.kappa[:, TESTED] = one.kappa[:, TESTED]

    def generators() -> list[np.random.Generator]:
        return [np.random.default_rng(seed) for seed in (1, 2)]

    constants = fit(one, operations, noise, *generators())
    first, changed, again = (
        degrade(each, operations, noise, constants, *generators())[TESTED]
        for each in (one, other, one)
    )
    if not np.array_equal(first, again):
        return (
            "does not return the same patches again; draw random numbers only from "
            "`rng`, and keep nothing from one sky to the next"
        )
    if not np.array_equal(first, changed):
        return (
            "is not local: a patch changes if other patches of its sky change; compute "
            "what `apply` does for each patch alone, draw as many random numbers for "
            "all values, and move what needs many patches to `fit`"
        )
    return None
