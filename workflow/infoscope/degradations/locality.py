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


def is_local(
    survey: Survey, operations: Sequence[Operation], noise: NoiseOrder
) -> bool:
    """Return whether the first patch stays the same, bit by bit, if all others change.

    Parameters
    ----------
    survey
        Survey before the operations. Patches contain Gaussian noise with twice its
        shape noise.
    operations
        Operations in the order in which they are applied.
    noise
        Whether noise is added before or after the operations, or not at all.

    Raises
    ------
    InfoscopeError
        If an operation cannot be applied to such patches.
    """
    rng = np.random.default_rng(0)
    shape = (survey.n_bins, PATCHES, survey.pixels, survey.pixels)
    sigma = 2 * per_bin(survey.shape_noise)
    patches = [Patches(sigma * rng.standard_normal(shape), survey) for _ in range(2)]
    patches[1].kappa[:, 1:] *= 3
    patches[1].kappa[:, 0] = patches[0].kappa[:, 0]

    def generators() -> list[np.random.Generator]:
        return [np.random.default_rng(seed) for seed in (1, 2)]

    constants = fit(patches[0], operations, noise, *generators())
    first, second = (
        degrade(each, operations, noise, constants, *generators())[0]
        for each in patches
    )
    return bool(np.array_equal(first, second))
