"""Operations are applied to arrays as in a study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infoscope.degradations import apply_operations
from infoscope.degradations.degrade import degrade, fit
from infoscope.errors import InfoscopeError

from ..conftest import PIXELS, parsed

CHAIN = [
    {"operation": "lowpass", "ell": 100, "profile": "tophat"},
    {"operation": "keep_convergence", "ranges": [[1, None]]},
    {"operation": "sum_bins"},
]


def test_result_is_that_of_a_study(patches) -> None:
    fiducial = 1.2 * patches.kappa[:, ::-1]
    out = apply_operations(
        patches.kappa, patches.survey, CHAIN, np.random.default_rng(4), fiducial
    )
    chosen = [parsed(**parameters) for parameters in CHAIN]
    rng = np.random.default_rng(4)
    constants = fit(replace(patches, kappa=fiducial), chosen, "none", rng, rng)
    expected = degrade(patches, chosen, "none", constants, rng, rng)
    assert np.array_equal(out, np.moveaxis(expected, -1, 0))
    # objects instead of parameters
    again = apply_operations(
        patches.kappa, patches.survey, chosen, np.random.default_rng(4), fiducial
    )
    assert np.array_equal(again, out)


def test_axes_of_patches_are_kept(patches) -> None:
    for shape in ((), (6,), (3, 2)):
        kappa = patches.kappa.reshape(2, *(shape or (6,)), PIXELS, PIXELS)
        kappa = kappa if shape else kappa[:, 0]
        out = apply_operations(
            kappa, patches.survey, CHAIN[2:], np.random.default_rng()
        )
        expected = 0.25 * kappa[:1] + 0.75 * kappa[1:]
        assert np.allclose(out, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("cut", "operations", "message"),
    [
        (
            np.s_[:1],
            [],
            "kappa: has the shape (1, 6, 32, 32) instead of (2, …, 32, 32)",
        ),
        (np.s_[..., 1:], [], "kappa: has the shape (2, 6, 32, 31) instead of"),
        (np.s_[0, 0], [], "kappa: has the shape (32, 32) instead of"),
        (np.s_[:], CHAIN, "keep_convergence: needs `fiducial`, patches of"),
        (
            np.s_[:],
            [{"operation": "select_bins", "bins": [3]}],
            "0.bins: there is no bin 3",
        ),
        (
            np.s_[:],
            [{"operation": "scale_noise", "factor": 2}],
            "0: there is no noise to scale",
        ),
    ],
)
def test_mistake_is_one_line(patches, cut, operations, message: str) -> None:
    with pytest.raises(InfoscopeError) as caught:
        apply_operations(
            patches.kappa[cut], patches.survey, operations, np.random.default_rng()
        )
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
