"""Parts that degradations keep, and agreement of two orders of degradations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from infoscope.attribution import decompositions
from infoscope.attribution.agreement import Agreement, information_left
from infoscope.attribution.decompositions import VALUE_EDGES, Annuli
from infoscope.attribution.kept import Profiles, coverage
from infoscope.degradations import Operation, Patches
from infoscope.survey.survey import Survey
from infoscope.vocabulary import OrderAgreement

from ..conftest import parsed

LOW = {"operation": "lowpass", "scale_mpc_h": 8}
HIGH = {"operation": "keep_convergence", "ranges": [[1, None]]}


@pytest.fixture
def tiles(survey: Survey) -> tuple[np.ndarray, np.ndarray]:
    """Return tiles of two bins, and gradients of some estimate."""
    side = survey.pixels
    rng = np.random.default_rng(1)
    maps = rng.standard_normal((2, 5, side, side, 2)).astype(np.float32)
    maps -= maps.mean(axis=(2, 3), keepdims=True)
    return maps[0], maps[1]


@pytest.fixture
def profiles(survey: Survey, tiles: tuple[np.ndarray, np.ndarray]) -> Profiles:
    x, gradient = tiles
    annuli = Annuli.of(x.shape[1], survey.pixel)
    smooth = [
        decompositions.smoothed(x, s, survey) for s in decompositions.SMOOTHING_MPC_H
    ]
    values = [decompositions.by_value(maps, gradient) for maps in smooth]
    return Profiles(
        ell=annuli.ell,
        by_scale=decompositions.by_scale(x, gradient, annuli)[None],
        by_value=np.stack([v for v, _ in values], axis=1)[None],
        area=np.stack([a for _, a in values], axis=1),
    )


def operations(*given: dict[str, Any]) -> list[Operation]:
    return [parsed(**one) for one in given]


def test_filters_and_their_complements_keep_all(
    survey: Survey, profiles: Profiles, tiles: tuple[np.ndarray, np.ndarray]
) -> None:
    x, gradient = tiles
    whole = (x * gradient).sum(axis=(1, 2, 3))
    scale = {"scale_mpc_h": 100}
    kept = [
        profiles.kept(operations({"operation": name, **scale}), survey)
        for name in ("lowpass", "highpass")
    ]
    assert kept[0] is not None and kept[1] is not None
    assert np.abs(kept[0]).min() > 0
    np.testing.assert_allclose(kept[0][0] + kept[1][0], whole, rtol=1e-3)
    bins = [
        profiles.kept(operations({"operation": "select_bins", "bins": [b]}), survey)
        for b in (1, 2)
    ]
    for b, part in enumerate(bins):
        expected = (x * gradient)[..., b].sum(axis=(1, 2))
        np.testing.assert_allclose(part[0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("profile", ["gaussian", "tophat"])
@pytest.mark.parametrize("name", ["lowpass", "highpass"])
def test_filter_keeps_what_is_left_of_the_tile(
    survey: Survey,
    profiles: Profiles,
    tiles: tuple[np.ndarray, np.ndarray],
    name: str,
    profile: str,
) -> None:
    x, gradient = tiles
    [given] = operations(
        {"operation": name, "ell": 80.3, "profile": profile, "floor": 0}
    )
    patches = Patches(np.moveaxis(x, -1, 0), survey)
    left = given.apply(patches, {}, np.random.default_rng(1)).kappa
    expected = np.einsum("bnyx,nyxb->n", left, gradient)
    kept = profiles.kept([given], survey)
    # that of a part of an annulus is not known
    tolerance = (0.05 if profile == "gaussian" else 0.4) * expected.std()
    np.testing.assert_allclose(kept[0], expected, atol=tolerance)


@pytest.mark.parametrize("smoothed", [False, True])
def test_mask_keeps_its_pixels(
    survey: Survey,
    profiles: Profiles,
    tiles: tuple[np.ndarray, np.ndarray],
    smoothed: bool,
) -> None:
    x, gradient = tiles
    seen = decompositions.smoothed(x, 8 if smoothed else 0, survey)
    first = [LOW] if smoothed else []
    kept = profiles.kept(operations(*first, HIGH), survey)
    high = decompositions.in_sigma(seen) >= 1
    expected = (seen * gradient * high).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(kept[0], expected, rtol=1e-3, atol=1e-3)
    area = {"operation": "random_mask", "area_of": {"ranges": HIGH["ranges"]}}
    kept = profiles.kept(operations(*first, area), survey)
    expected = (seen * gradient).sum(axis=(1, 2, 3)) * high.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(kept[0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "given",
    [
        [{"operation": "shuffle_pixels"}],
        [{"operation": "randomize_phases"}],
        [{"operation": "sum_bins"}],
        [HIGH, LOW],
        [{"operation": "lowpass", "scale_mpc_h": 100}, HIGH],
        [HIGH | {"fill": 0.1}],
    ],
)
def test_what_is_no_part_is_not_compared(
    survey: Survey, profiles: Profiles, given: list[dict[str, Any]]
) -> None:
    assert profiles.kept(operations(*given), survey) is None


def test_quantiles_are_shares_of_the_pixels() -> None:
    area = np.full(len(VALUE_EDGES) - 1, 1 / (len(VALUE_EDGES) - 1))
    upper = parsed(operation="keep_convergence", ranges=[[0.25, None]], by="quantile")
    assert area @ coverage(upper, area) == pytest.approx(0.75)
    union = parsed(operation="keep_convergence", ranges=[[None, -1], [0, 2]])
    covered = coverage(union, area)
    middle = (VALUE_EDGES[1:-2] + VALUE_EDGES[2:-1]) / 2
    inside = (middle < -1) | ((middle > 0) & (middle < 2))
    np.testing.assert_allclose(covered[1:-1], inside)
    assert covered[0] == 1 and covered[-1] == 0


def compared(order: list[float], error: float) -> Agreement:
    share = np.linspace(0.1, 0.9, len(order))
    rng = np.random.default_rng(1)
    resampled = share + error * rng.standard_normal((200, len(order)))
    return Agreement.of(
        share, np.array(order), np.full(len(order), error), resampled, seed=1
    )


def test_orders_that_are_alike_agree() -> None:
    found = compared([0.2, 0.3, 0.35, 0.5, 0.6, 0.7, 0.9], 0.001)
    assert found.correlation == found.low == 1 and found.verdict == OrderAgreement.AGREE
    # a table of critical values: 0.714 for seven, one-sided 5 %
    assert found.by_chance == pytest.approx(0.7, abs=0.03)


def test_orders_that_are_not_alike_disagree() -> None:
    found = compared([0.9, 0.3, 0.6, 0.2, 0.7, 0.35, 0.5], 0.001)
    assert found.verdict == OrderAgreement.DISAGREE and found.high < found.by_chance


@pytest.mark.parametrize(
    ("order", "error"), [([0.2, 0.3, 0.4, 0.5, 0.6], 0.3), ([0.2, 0.3, 0.9], 0.001)]
)
def test_too_little_leaves_it_undecided(order: list[float], error: float) -> None:
    assert compared(order, error).verdict == OrderAgreement.UNDECIDED


def test_information_of_a_width_that_doubles_is_a_quarter() -> None:
    value, error = information_left(np.array([2.0]), np.array([0.1]))
    assert value == 0.25 and error == pytest.approx(0.025)
