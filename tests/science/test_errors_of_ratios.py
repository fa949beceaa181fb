"""The errors of ratios agree with the scatter of ratios in repeated studies."""

from functools import cached_property

import numpy as np
import pytest

from infoscope.inference import inference
from infoscope.inference.inference import HeldOut, Inference
from infoscope.results.comparison import SeedScatter, compare
from infoscope.results.measurements import Measurement, Training
from infoscope.vocabulary import Calibration

from .toy import Toy

pytestmark = pytest.mark.slow

STUDIES = 40
# noise of each degradation, and its scatter between training runs
SIZES = {"reference": 1.1, "cut": 1.4, "gone": 2.2}
SEED_SCATTER = 0.02
TRAINING = Training(-1.0, -1.0, 0.0, 0.0)


class Widths(Inference):
    """Inference of widths only, because the information would take longest."""

    @cached_property
    def held_out(self) -> HeldOut:
        one = np.ones((1, 1))
        return HeldOut(one[..., None], one, one)


def measurement(toy: Toy, name: str, study: int) -> Measurement:
    """Measure two training runs on the same skies of a degradation."""
    quality = np.random.default_rng([study, *name.encode()])
    training_runs = [
        toy.inference(
            np.random.default_rng([study, SIZES[name] > 2, SIZES[name] > 1.2]),
            SIZES[name],
            np.exp(SEED_SCATTER * quality.standard_normal()),
            cells=32,
            boots=20,
            kind=Widths,
        )
        for _ in range(2)
    ]
    width = np.array([inference.width for inference in training_runs])
    bootstrap = np.array([inference.bootstrap() for inference in training_runs])
    return Measurement(
        degradation=name,
        label=name,
        estimator="cnn",
        kind="cnn",
        width=width,
        bootstrap=bootstrap,
        ensemble=width[0],
        ensemble_bootstrap=bootstrap[0],
        score=np.zeros((2, 1)),
        sky=np.arange(1),
        cosmology=np.arange(1),
        calibration=Calibration.CALIBRATED,
        training=TRAINING,
    )


@pytest.fixture(scope="module")
def ratios():
    """Return log ratio, error, p value and log width by study and degradation."""
    found = {name: [] for name in ("cut", "gone")}
    with pytest.MonkeyPatch.context() as patch:
        # of each sky, for the information in bootstrap samples
        patch.setattr(inference, "TILES", 1)
        for study in range(STUDIES):
            toy = Toy(np.random.default_rng(study), n_test=128, n_tile=16)
            measured = {name: measurement(toy, name, study) for name in SIZES}
            scatter = SeedScatter(list(measured.values()))
            for name, rows in found.items():
                ratio = compare(
                    measured[name], measured["reference"], "sigma_s8", scatter
                )
                rows.append(
                    (np.log(ratio.value), ratio.log_error, measured[name].log_width[0])
                )
    return {name: np.array(rows).T for name, rows in found.items()}


@pytest.mark.parametrize("name", ["cut", "gone"])
def test_scatter_of_ratios_is_their_error(ratios, name):
    log, error, _ = ratios[name]
    scatter = log.std(ddof=1)
    # 40 studies constrain the scatter to 11 %
    assert 0.7 < np.sqrt((error**2).mean()) / scatter < 1.4


def test_pairs_make_errors_smaller(ratios):
    log, _, log_width = ratios["cut"]
    assert log.std(ddof=1) < 0.8 * np.sqrt(2) * log_width.std(ddof=1)
