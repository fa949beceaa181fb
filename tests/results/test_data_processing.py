"""Scores that data processing forbids are found, and others are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from infoscope.errors import InfoscopeError
from infoscope.results.comparison import SeedScatter, compare_scores, scores
from infoscope.results.data_processing import Bounds, excesses
from infoscope.results.measurements import Measurement
from infoscope.results.widths import measure
from infoscope.vocabulary import METRICS, Calibration

from .test_comparison import measurement
from .test_widths import PRIOR, measured

N_SKY, N_TILE, N_SEEDS = 128, 16, 2
LOW, HIGH = np.array([0.15, 0.5]), np.array([0.45, 1.2])
SIGMA = np.array([0.05, 0.06])
SHARED = 0.1  # fraction of the variance of the noise that the tiles of a sky share
SEED_SCATTER = 0.01  # of the noise of summaries, between training runs
ALIKE = 0.93  # noise that all degradations share
NAMES = ("reference", "mid", "mid_high", "high")
PAIRS = [
    *((name, "reference") for name in NAMES[1:]),
    ("mid", "mid_high"),
    ("high", "mid_high"),
]


def noise(rng: np.random.Generator) -> np.ndarray:
    """Draw noise of unit variance that tiles of a sky have in common in part."""
    sky, tile = (rng.standard_normal((N_SKY, n, 2)) for n in (1, N_TILE))
    return np.sqrt(SHARED) * sky + np.sqrt(1 - SHARED) * tile


def score(summary: np.ndarray, theta: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Compute log₂ of posterior over prior at the truth, exactly, for each sky."""
    inside = norm.cdf((HIGH - summary) / sigma) - norm.cdf((LOW - summary) / sigma)
    density = norm.pdf((theta - summary) / sigma) / sigma / inside
    return np.log2(density * (HIGH - LOW)).sum(axis=-1).mean(axis=1)


def study(number: int, sizes: dict[str, float]) -> list[Measurement]:
    """Measure degradations whose summaries have `sizes` times the noise.

    All share the noise of the skies, and each adds noise of its own.
    """
    rng = np.random.default_rng(number)
    theta = rng.uniform(LOW, HIGH, (N_SKY, 1, 2))
    of_skies = ALIKE * noise(rng)
    rows = []
    for name, size in sizes.items():
        own = np.sqrt(size**2 - ALIKE**2) * noise(rng)
        runs = []
        for scale in np.exp(SEED_SCATTER * rng.standard_normal(N_SEEDS)):
            summary = theta + scale * SIGMA * (of_skies + own)
            runs.append(score(summary, theta, scale * size * SIGMA))
        row = measurement(name, n_seeds=N_SEEDS)
        of_skies_only = {"sky": np.arange(N_SKY), "cosmology": np.arange(N_SKY)}
        rows.append(replace(row, score=np.array(runs), **of_skies_only))
    return rows


def found(number: int, **sizes: float) -> set[str]:
    rows = study(number, dict.fromkeys(NAMES, 1.0) | sizes)
    return {row.degradation for row in excesses(rows, {"cnn": Bounds(PAIRS)})}


def test_an_estimator_that_knows_more_is_impossible():
    """The noise of one degradation is 6 % smaller, which is 0.13 bit."""
    assert sum("mid" in found(i, mid=0.94) for i in range(100)) >= 95


def test_estimators_that_know_the_same_are_possible():
    """False alarms in any of five comparisons, at a level of 5 % for all together."""
    assert sum(bool(found(i)) for i in range(100)) <= 5


def test_the_error_of_a_difference_is_its_scatter():
    found = []
    for i in range(100):
        rows = study(i, dict.fromkeys(NAMES, 1.0))
        found.append(compare_scores(rows[1], rows[0], SeedScatter(rows, scores)))
    scatter = np.std([one.value for one in found])
    assert scatter == pytest.approx(np.mean([one.error for one in found]), rel=0.2)


def scored(name: str, score: float, **changes) -> Measurement:
    """Measurement whose scores differ from those of others by little noise."""
    row = measurement(name, score=score, **changes)
    rng = np.random.default_rng(list(name.encode()))
    row.score[:] += 0.02 * rng.standard_normal(row.score.shape)
    return row


def cause(*rows: Measurement, sees_tiles: bool = True) -> str:
    bounds = Bounds([("mid", "reference")], sees_tiles)
    ((_, (excess,)),) = excesses(rows, {"cnn": bounds}).items()
    assert excess.exceeded is rows[0]
    assert excess.difference.value == pytest.approx(0.1, abs=0.02)
    return excess.cause


def test_the_cause_is_training_if_there_is_a_sign_of_it():
    mid = scored("mid", 2.6)
    fine = scored("reference", 2.5)
    assert cause(fine, mid).startswith("operation: reference / cnn shows no fault")
    falling = scored("reference", 2.5, final_drop=0.1)
    assert "(training falling)" in cause(falling, mid)
    withheld = scored("reference", 2.5, calibration=Calibration.WITHHELD)
    assert "(posteriors not calibrated)" in cause(withheld, mid)
    better = scored("reference", 2.7, estimator="power_spectrum")
    found = cause(fine, mid, better)
    assert found.startswith("training: reference / cnn is not at its limit (0.2")
    assert "bit below power_spectrum" in found
    # spectra of the same maps hold less than the maps
    assert cause(fine, mid, better, sees_tiles=False).startswith("operation")
    worse = scored("reference", 2.3, estimator="power_spectrum")
    assert cause(fine, mid, worse).startswith("operation")


def test_only_bounds_are_tested():
    rows = [scored("reference", 2.5), scored("mid", 2.6), scored("high", 2.7)]
    assert not excesses(rows, {"cnn": Bounds()})
    bounds = {"cnn": Bounds([("high", "mid")])}
    ((row, (excess,)),) = excesses(rows, bounds).items()
    assert (row, excess.exceeded) == (rows[2], rows[1])


def test_a_score_without_a_value_is_not_tested():
    rows = [scored("reference", 2.5), scored("mid", 2.6)]
    rows[0].score[:, 3] = -np.inf
    with np.errstate(invalid="ignore"):
        assert not excesses(rows, {"cnn": Bounds([("mid", "reference")])})


def test_skies_of_one_cosmology_are_not_independent():
    rows = [scored("reference", 2.5), scored("mid", 2.5)]
    offset = np.random.default_rng(0).standard_normal(32)
    rows[1].score[:] += offset[rows[1].cosmology]
    alone = [replace(row, cosmology=row.sky) for row in rows]
    few, many = (
        compare_scores(one[1], one[0], SeedScatter(one, scores))
        for one in (rows, alone)
    )
    assert few.error == pytest.approx(offset.std() / 32**0.5, rel=0.1)
    assert many.error == pytest.approx(few.error / 2**0.5, rel=0.1)


def test_other_skies_cannot_be_compared():
    rows = [scored("reference", 2.5), scored("mid", 2.5)]
    rows[1] = replace(rows[1], sky=rows[1].sky + 1)
    with pytest.raises(InfoscopeError, match="mid / cnn and reference / cnn have diff"):
        compare_scores(rows[1], rows[0], SeedScatter(rows, scores))


def test_an_impossible_score_is_the_verdict_of_all_metrics():
    rows = [
        scored("reference", 2.5),
        scored("mid_high", 2.2, scale=1.2),
        scored("high", 2.3, scale=1.1),
        scored("mid", 2.6, scale=0.9),
    ]
    table = measured(rows, bounds={"cnn": Bounds(PAIRS)})
    assert set(table.loc["mid"].verdict) == {"impossible"}
    assert set(table.loc["mid"].exceeds) == {"reference; mid_high"}
    assert set(table.loc["high"].verdict) == {"impossible"}
    assert set(table.loc["high"].exceeds) == {"mid_high"}
    assert table.loc["high"].cause.str.startswith("operation: mid_high / cnn").all()
    assert table.verdict["mid_high", "sigma_s8"] == "wider"
    for name in ("reference", "mid_high"):
        assert set(table.loc[name].exceeds) == set(table.loc[name].cause) == {""}
    difference = table.loc["mid_high"].iloc[0]
    assert difference.score == pytest.approx(2.2, abs=0.5)
    assert difference.score_difference == pytest.approx(-0.3, abs=0.02)
    assert 0 < difference.score_difference_error < 0.02
    assert difference.score_p_value > 0.99
    reference = table.loc["reference"].iloc[0]
    assert (reference.score_difference, reference.score_p_value) == (0, 1)


def test_a_withheld_width_does_not_hide_an_impossible_score():
    rows = [
        scored("reference", 2.5),
        scored("mid", 2.6, calibration=Calibration.WITHHELD),
    ]
    table = measured(rows, bounds={"cnn": Bounds([("mid", "reference")])})
    assert set(table.loc["mid"].verdict) == {"impossible"}
    assert set(table.loc["mid"].calibration) == {"withheld"}
    assert table.loc["mid"].ratio.isna().all()


def test_narrower_without_more_information_is_reshaped():
    rows = [scored("reference", 2.5), scored("mid", 2.4, scale=0.9)]
    bounded = measured(rows, bounds={"cnn": Bounds([("mid", "reference")])})
    assert bounded.verdict["mid", "sigma_s8"] == "reshaped"
    # less, of what is larger for a narrower posterior
    assert bounded.verdict["mid", "fom"] == "wider"
    free = measured(rows, bounds={"cnn": Bounds()})
    assert free.verdict["mid", "sigma_s8"] == "narrower"


def test_counterfactuals_are_marked():
    rows = [scored("reference", 2.5), scored("noiseless", 2.9, scale=0.7)]
    table = measure(rows, PRIOR, 0.05, {"cnn": Bounds()}, ["noiseless"])
    by_name = table.set_index(["degradation", "metric"])
    assert by_name.verdict["noiseless", "sigma_s8"] == "narrower"
    assert list(table.counterfactual) == [False] * 7 + [True] * 7


def test_shared_training_runs_count_once():
    reference = scored("reference", 2.5, seed_scatter=0.02, n_seeds=3)
    cut = scored("cut", 2.3, scale=1.2, seed_scatter=0.04, n_seeds=3)
    same = replace(reference, degradation="phases", same_as="reference")
    table = measured([same, reference, cut], bounds={"cnn": Bounds(PAIRS[:0])})
    phases = table.loc["phases"]
    assert set(phases.ratio) == {1.0} and set(phases.ratio_error) == {0.0}
    assert set(phases.score_difference) == set(phases.score_difference_error) == {0.0}
    assert set(phases.verdict) == {"equivalent"}
    assert set(phases.same_as) == {"reference"}
    alone = measured([reference, cut])
    for name in ("ratio_error", "p_value", "error_seeds"):
        np.testing.assert_array_equal(table.loc["cut"][name], alone.loc["cut"][name])
    np.testing.assert_array_equal(phases.error, table.loc["reference"].error)
    scatter = SeedScatter([same, reference, cut])
    assert (scatter.of(same).dof == 4).all()
    # the same budgets of a learning curve share runs, other budgets do not
    assert not replace(same, width=1.1 * same.width).shares_runs(reference)
    assert len(METRICS) == len(phases)
