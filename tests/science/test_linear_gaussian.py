"""The posterior of a linear-Gaussian problem is known exactly."""

import numpy as np
import pytest

from infoscope.inference import CALIBRATED, calibrate
from infoscope.posterior import METRICS

from .toy import Toy, exact_widths

pytestmark = pytest.mark.slow

SEEDS = 20


@pytest.fixture(scope="module")
def found():
    """Widths over the exact ones, and errors of their logarithms, (seed, metric)."""
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
    # no seed is off by what its error does not allow
    assert (np.abs(np.log(ratios)) < 4 * errors).all()


def test_errors_cover_the_truth_at_their_nominal_rate(found):
    ratios, errors, _ = found
    # information is averaged over random cosmologies, which are resampled too
    pull = np.log(ratios) / errors
    rms = np.sqrt((pull**2).mean(axis=0))
    # 20 seeds know an rms to 16 %
    assert (rms > 0.6).all() and (rms < 1.45).all()
    within = (np.abs(pull) < 1).mean()
    assert 0.55 < within < 0.9


def test_exact_posteriors_are_calibrated(found):
    *_, verdicts = found
    # the test of one study rejects what is right with a probability below 1 %
    assert verdicts.count(CALIBRATED) == SEEDS
