"""Verdicts on training runs."""

from __future__ import annotations

import math

import pytest

from infoscope.estimators.stopping import final_drop, verdict
from infoscope.estimators.training import Evaluation


def history(*losses: float, every: int = 10) -> list[Evaluation]:
    return [
        Evaluation((i + 1) * every, 1e-3, 0.0, loss, 0.0, 0)
        for i, loss in enumerate(losses)
    ]


@pytest.mark.parametrize(
    ("losses", "steps", "expected"),
    [
        # the tail starts after step 90
        ([3, 2, 2, 2, 2, 2, 2, 2, 1.5, 1.2], 100, 0.3),
        ([3, 1, 2, 2, 2, 2, 2, 2, 1.5, 1.2], 100, 0),
        ([3, 2, 2, 2, 2, 2, 2, 2, 1.5, 1.6], 100, 0),
        # stopped early
        ([3, 2, 1], 100, 0),
        # nothing to compare with
        ([3], 10, math.inf),
    ],
)
def test_final_drop_is_the_fall_in_the_tail(losses, steps, expected) -> None:
    assert final_drop(history(*losses), steps) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("drop", "gap", "error", "expected"),
    [
        (0.0, 0.0, 0.0, "trained"),
        (0.019, 0.09, 0.0, "trained"),
        (0.021, 0.0, 0.0, "falling"),
        (math.inf, 0.0, 0.0, "falling"),
        (0.0, 0.11, 0.0, "overfit"),
        # within its error
        (0.0, 0.11, 0.02, "trained"),
        (0.03, 0.5, 0.1, "falling and overfit"),
        # the validation skies may be the easier ones
        (0.0, -0.5, 0.0, "trained"),
    ],
)
def test_verdict_names_what_would_help(drop, gap, error, expected) -> None:
    assert verdict(drop, gap, error) == expected
