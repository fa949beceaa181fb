"""Widths of a linear-Gaussian problem agree with the exact posterior."""

from dataclasses import replace

import numpy as np
import pytest

from infoscope.inference.inference import calibrate
from infoscope.vocabulary import METRICS, Calibration

from .toy import COVARIANCE, Toy, exact_widths

pytestmark = pytest.mark.slow

SEEDS = 20


@pytest.fixture(scope="module")
def found():
    """Return ratios to exact widths, and errors of their logarithms, (seed, metric)."""
    exact = np.array([exact_widths()[metric] for metric in METRICS])
    ratios, errors, verdicts = [], [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        calibrated = calibrate([Toy(rng).inference(rng)])
        (inference,) = calibrated.inferences
        verdicts.append(calibrated.verdict)
        ratios.append(inference.width / exact)
        errors.append(np.log(inference.bootstrap()).std(axis=0, ddof=1))
    return np.array(ratios), np.array(errors), verdicts


def test_widths_are_exact(found):
    ratios, errors, _ = found
    np.testing.assert_allclose(ratios.mean(axis=0), 1, atol=0.02)
    # the deviation of each seed is compatible with its error
    assert (np.abs(np.log(ratios)) < 4 * errors).all()


def test_errors_cover_the_truth_at_their_nominal_rate(found):
    ratios, errors, _ = found
    # information is averaged over random cosmologies, which are resampled too
    pull = np.log(ratios) / errors
    rms = np.sqrt((pull**2).mean(axis=0))
    # 20 seeds constrain an rms to 16 %
    assert (rms > 0.6).all() and (rms < 1.45).all()
    within = (np.abs(pull) < 1).mean()
    assert 0.55 < within < 0.9


def test_exact_posteriors_are_calibrated(found):
    *_, verdicts = found
    # the test of one study rejects correct posteriors with a probability below 1 %
    assert verdicts.count(Calibration.CALIBRATED) == SEEDS


def test_nuisance_parameters_are_marginalised_over_or_known():
    """A nuisance parameter adds its variance to the summaries, unless it is fixed."""
    rng = np.random.default_rng(3)
    slope = np.array([0.01, -0.03])
    toy = Toy(rng, n_test=1000, n_tile=12)
    nuisance = rng.standard_normal((1000, 1))
    # mock observations have the fiducial value
    unknown = toy.inference(rng, boots=2)
    moved = unknown.test.summary + (nuisance * slope)[:, None]
    unknown = replace(unknown, test=replace(unknown.test, summary=moved))
    known = replace(unknown, test=replace(unknown.test, nuisance=nuisance))
    metrics = slice(METRICS.index("information"))
    for inference, covariance in (
        (unknown, COVARIANCE + np.outer(slope, slope)),
        (known, COVARIANCE),
    ):
        exact = [exact_widths(covariance)[metric] for metric in METRICS[metrics]]
        # 1000 values of the parameter constrain its variance to 4.5 %
        np.testing.assert_allclose(inference.width[metrics], exact, rtol=0.06)
        assert calibrate([inference]).verdict == Calibration.CALIBRATED
    assert known.width[-1] > unknown.width[-1] + 0.3
