"""Ratios of widths, their errors and verdicts."""

import numpy as np
import pytest
from scipy.stats import norm

from infoscope.results.comparison import Ratio, SeedScatter, compare, holm
from infoscope.results.measurements import Measurement, Training
from infoscope.vocabulary import Calibration

TRAINING = {
    "train_nll": -1.0,
    "validation_nll": -0.95,
    "validation_error": 0.01,
    "final_drop": 0.0,
}
WIDTHS = [0.05, 0.04, 0.08, 0.01, 0.03, 100.0, 2.5]


def measurement(
    degradation,
    scale=1.0,
    n_seeds=2,
    seed_scatter=0.0,
    sky_scatter=0.1,
    estimator="cnn",
    calibration=Calibration.CALIBRATED,
    score=2.5,
    same_as="",
    **training,
):
    rng = np.random.default_rng(3)  # shared skies: the same for all degradations
    skies = np.exp(sky_scatter * rng.standard_normal((1, 200, 1)))
    seeds = seed_scatter * np.linspace(-1, 1, n_seeds) if n_seeds > 1 else [0.0]
    width = scale * np.outer(np.exp(seeds), WIDTHS)
    return Measurement(
        degradation=degradation,
        label=degradation.title(),
        estimator=estimator,
        kind=estimator,
        width=width,
        bootstrap=width[:, None] * skies,
        ensemble=width.mean(axis=0),
        ensemble_bootstrap=width.mean(axis=0) * skies[0],
        # 32 cosmologies of two skies
        score=score + np.add.outer(np.array(seeds), rng.standard_normal(64)),
        sky=np.arange(64),
        cosmology=np.arange(64) // 2,
        calibration=calibration,
        training=Training(**(TRAINING | training)),
        same_as=same_as,
    )


def compared(*rows, metric="sigma_s8"):
    return compare(*rows[:2], metric, SeedScatter(rows))


def test_ratios_are_paired():
    ratio = compared(measurement("cut", 2.0), measurement("reference"))
    assert ratio.value == pytest.approx(2)
    assert ratio.error == pytest.approx(0, abs=1e-12)
    assert compared(row := measurement("reference"), row).p_value == 1


def test_seed_scatter_is_pooled():
    rows = [
        measurement("reference", seed_scatter=0.06, sky_scatter=0.0),
        measurement("cut", 2.0, seed_scatter=0.08, sky_scatter=0.0),
    ]
    # ±0.08 is a variance of 2 × 0.08² with one degree of freedom; pooled: 0.01
    scatter = SeedScatter(rows)
    for row in rows:
        variance = scatter.of(row)
        np.testing.assert_allclose(variance.value, 0.01 / 2)
        assert (variance.dof == 2).all()
    assert compared(*rows[::-1]).log_error == pytest.approx(0.1)


def test_seeds_that_scatter_more_than_all_others_keep_their_own():
    calm = [measurement(f"cut_{i}", seed_scatter=0.01) for i in range(8)]
    wild = measurement("wild", seed_scatter=0.1)
    scatter = SeedScatter([*calm, wild])
    np.testing.assert_allclose(scatter.of(calm[0]).value, 2 * 0.01**2 / 2)
    np.testing.assert_allclose(scatter.of(wild).value, 2 * 0.1**2 / 2)
    assert (scatter.of(wild).dof == 1).all()
    assert (scatter.of(calm[0]).dof == 8).all()


def test_seeds_that_scatter_do_not_hide_each_other():
    calm = [measurement(f"cut_{i}", seed_scatter=0.01) for i in range(9)]
    wild = [measurement(f"wild_{x}", seed_scatter=x) for x in (0.11, 0.17, 0.21)]
    scatter = SeedScatter([*wild, *calm])
    np.testing.assert_allclose(scatter.of(calm[0]).value, 0.01**2)
    for row, x in zip(wild, (0.11, 0.17, 0.21), strict=True):
        np.testing.assert_allclose(scatter.of(row).value, x**2)


def test_seeds_that_scatter_alike_are_rarely_set_apart():
    rng = np.random.default_rng(8)
    apart = 0
    for _ in range(300):
        rows = [measurement(f"cut_{i}", seed_scatter=x) for i, x in
                enumerate(0.01 * rng.standard_normal(12))]  # fmt: skip
        scatter = SeedScatter(rows)
        apart += any(scatter.of(row).dof[0] < 12 for row in rows)
    # a chance of 1 % for each number of those that are set apart: 3 ± 1.7 and more
    assert apart <= 15


def test_estimators_do_not_share_their_scatter():
    one = measurement("reference", seed_scatter=0.1)
    other = measurement("reference", seed_scatter=0.01, estimator="power_spectrum")
    scatter = SeedScatter([one, other])
    np.testing.assert_allclose(scatter.of(other).value, 0.01**2)


def test_one_seed_has_no_seed_error():
    rows = [measurement(name, n_seeds=1, sky_scatter=0.1) for name in "ab"]
    np.testing.assert_array_equal(SeedScatter(rows).of(rows[0]).value, 0)
    # some degradations may have more seeds than others
    more = measurement("c", seed_scatter=0.1)
    pooled = SeedScatter([*rows, more]).of(rows[0])
    np.testing.assert_allclose(pooled.value, 2 * 0.1**2)


def test_freedom_is_that_of_the_larger_part():
    skies = [measurement("cut"), measurement("reference", sky_scatter=0.2)]
    assert compared(*skies).dof == pytest.approx(199)
    seeds = [measurement(name, seed_scatter=0.1, sky_scatter=0.0) for name in "ab"]
    # two variances that are one number, known with two degrees of freedom
    assert compared(*seeds).dof == pytest.approx(2)
    # the fourth variance, of another estimator, is another number
    others = [measurement("a", seed_scatter=x, sky_scatter=0.0, estimator=name)
              for name, x in (("cnn", 0.1), ("power_spectrum", 0.1))]  # fmt: skip
    assert compared(*others).dof == pytest.approx(2)


def ratio(value, error, metric="sigma_s8"):
    return Ratio(metric, value, error, np.inf)


@pytest.mark.parametrize(
    ("value", "error", "metric", "verdict"),
    [
        (1.1, 0.01, "sigma_s8", "wider"),
        (0.9, 0.01, "sigma_s8", "narrower"),
        (0.9, 0.01, "information", "wider"),
        (1.1, 0.01, "fom", "narrower"),
        (1.01, 0.01, "sigma_s8", "equivalent"),
        (1.01, 0.03, "sigma_s8", "undecided"),
        (1.04, 0.03, "sigma_s8", "undecided"),
        # significant, although within the margin
        (1.03, 0.01, "sigma_s8", "wider"),
        (np.nan, 0.01, "sigma_s8", "withheld"),
    ],
)
def test_verdicts(value, error, metric, verdict):
    assert ratio(value, error, metric).verdict(margin=0.05) == verdict


def test_p_value_is_that_of_a_normal_distribution():
    found = ratio(np.exp(0.02), 0.01).p_value
    assert found == pytest.approx(2 * norm.sf(2))
    few = Ratio("sigma_s8", np.exp(0.02), 0.01, 2.0)
    # Student's t with two degrees of freedom: P(|t| > 2) = 1 - 2 / √6
    assert few.p_value == pytest.approx(1 - 2 / 6**0.5)


def test_true_differences_are_rarely_called_equivalent():
    """At the edge of the margin, this happens in one of twenty studies."""
    rng = np.random.default_rng(1)
    measured = np.exp(np.log(1.05) + 0.01 * rng.standard_normal(4000))
    wrong = np.mean([ratio(value, 0.01).within(0.05) for value in measured])
    assert wrong == pytest.approx(0.05, abs=0.012)


def test_holm():
    # by hand: 4 × 0.01, 3 × 0.02, then at least the previous value
    found = holm([0.03, 0.01, 0.02, 0.9])
    np.testing.assert_allclose(found, [0.06, 0.04, 0.06, 0.9])
    assert holm([]) == []


def test_withheld_has_no_ratio():
    bad = measurement("cut", calibration="withheld")
    found = compared(bad, measurement("reference"))
    assert np.isnan(found.value) and np.isnan(found.p_value)
