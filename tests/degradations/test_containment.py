"""What one operation leaves can be computed from what a larger one leaves."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from infoscope.degradations import Survey
from infoscope.degradations.containment import contains, covers
from infoscope.degradations.operations.bins import SelectBins, SumBins
from infoscope.degradations.operations.filters import (
    BandPass,
    BandStop,
    HighPass,
    LowPass,
)
from infoscope.degradations.operations.positions import ShufflePixels
from infoscope.degradations.operations.values import KeepConvergence, RandomMask

LOW, MID, HIGH = (None, -1), (-1, 1), (1, None)


def cut(*ranges, **keys) -> KeepConvergence:
    return KeepConvergence(ranges=list(ranges), **keys)


@pytest.mark.parametrize(
    ("larger", "smaller", "expected"),
    [
        (cut(MID, HIGH), cut(HIGH), True),
        (cut(HIGH), cut(MID, HIGH), False),
        (cut(LOW, HIGH), cut(MID), False),
        # two ranges that touch are one
        (cut(LOW, MID), cut((-2, 0)), True),
        (cut(LOW, MID), cut((-2, 2)), False),
        (cut((0.2, None), by="quantile"), cut((0.5, 1), by="quantile"), True),
        (cut((0, 0.5), by="quantile"), cut((None, 0.5), by="quantile"), True),
        (cut((0.2, None), by="quantile"), cut((0.5, 1)), False),
        # it can be told which pixels were kept, whatever happens to them then
        (cut(MID, HIGH, fill=-9), cut(HIGH, fill="resample"), True),
        (cut(MID, HIGH, fill="resample"), cut(HIGH), False),
        # σ of a tile is not known if pixels are missing
        (cut(MID, HIGH, of="tile"), cut(HIGH, of="tile"), False),
        (cut(MID, HIGH), cut(HIGH, of="tile"), False),
        (cut(HIGH, of="tile"), cut(HIGH, of="tile"), True),
        (SelectBins(bins=[1, 2, 4]), SelectBins(bins=[4, 1]), True),
        (SelectBins(bins=[1, 2]), SelectBins(bins=[3]), False),
        (SelectBins(bins=[1, 2]), SumBins(), False),
        (ShufflePixels(), ShufflePixels(), True),
        (cut(MID), RandomMask(fraction=0.1), False),
    ],
)
def test_contains(larger, smaller, expected):
    assert contains(larger, smaller) == expected


@pytest.mark.parametrize("unit", ["scale_mpc_h", "ell"])
@pytest.mark.parametrize("profile", ["gaussian", "tophat"])
def test_larger_filters_pass_more_of_every_mode(unit: str, profile: str) -> None:
    survey = Survey(
        side_deg=10.0, pixels=64, omega_m=0.3, h=0.7, mean_z=np.array([0.3, 0.8]),
        n_gal_arcmin2=np.array([2.0, 6.0]), sigma_e=np.array([0.3, 0.4]),
    )  # fmt: skip
    edges = {"scale_mpc_h": (8.0, 12.0, 30.0), "ell": (200.0, 500.0, 900.0)}[unit]
    filters = [
        kind(profile=profile, **{unit: edge})
        for kind, edge in product((LowPass, HighPass), edges)
    ]
    filters += [
        kind(profile=profile, **{unit: band})
        for kind, band in product(
            (BandPass, BandStop), [edges[:2], edges[1:], edges[::2]]
        )
    ]
    ell = np.geomspace(1, 3000, 400)
    transfer = [one.transfer(survey, ell) for one in filters]
    contained = 0
    for (i, larger), (j, smaller) in product(enumerate(filters), repeat=2):
        passes = bool((transfer[j] <= transfer[i] + 1e-12).all())
        assert contains(larger, smaller) <= passes, (larger, smaller)
        if profile == "tophat":
            assert contains(larger, smaller) == passes, (larger, smaller)
        contained += contains(larger, smaller)
    assert contained > 2 * len(filters)
    wide, narrow = (LowPass(**{unit: edge}, floor=0.02) for edge in edges[:2])
    assert contains(wide, narrow) == (unit == "scale_mpc_h")
    assert not contains(LowPass(**{unit: edges[0]}), narrow)


def test_other_profiles_and_units_are_not_compared() -> None:
    assert not contains(LowPass(scale_mpc_h=8), LowPass(ell=1e-3))
    assert not contains(
        LowPass(scale_mpc_h=8), LowPass(scale_mpc_h=9, profile="tophat")
    )


def test_covers() -> None:
    assert covers([(2, 3), (0, 1), (1, 2)], [(0.5, 2.5)])
    assert not covers([], [(0, 1)])
    assert covers([], [])
