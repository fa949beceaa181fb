import h5py
import numpy as np
import pytest

from infoscope.cosmology.nuisance import Nuisance
from infoscope.errors import InfoscopeError
from infoscope.files.hdf5 import write_nuisance
from infoscope.inference.calibration import CURVES
from infoscope.inference.inference import (
    Inference,
    Skies,
    best_power,
    calibrate,
    ensemble,
)
from infoscope.inference.posterior import Grid
from infoscope.stages import infer_posterior
from infoscope.vocabulary import METRICS, Calibration

from .test_posterior import PRIOR

FIDUCIAL = (0.2915, 0.7835)


def skies(n_sky, n_tile=24, seed=0, theta=None, modes=False):
    """Draw summaries with noise that is normal, or has two modes."""
    rng = np.random.default_rng(seed)
    if theta is None:
        theta = rng.uniform([0.15, 0.5], [0.45, 1.2], (n_sky, 2))
    else:
        theta = np.tile(theta, (n_sky, 1))
    s_8 = theta[:, 1] * np.sqrt(theta[:, 0] / 0.3)
    mean = np.stack([0.3 + 0.2 * (theta[:, 0] - 0.3), s_8], 1)[:, None]
    noise = rng.standard_normal((n_sky, n_tile, 2))
    if modes:
        noise = np.sign(noise) + 0.2 * rng.standard_normal(noise.shape)
    return Skies(mean + np.array([0.03, 0.04]) * noise, theta)


def inference(seed=0, **changes):
    given = {
        "test": skies(96, seed=seed),
        "fiducial": skies(8, seed=seed + 100, theta=FIDUCIAL),
        "grid": Grid.of_prior(PRIOR, 48),
        "n_bootstrap": 10,
        "seed": 1,
    }
    return Inference(**(given | changes))


def test_bootstrap_scatters_about_the_width():
    one = inference()
    relative = one.bootstrap() / one.width
    assert relative.shape == (10, len(METRICS))
    scatter = relative.std(axis=0)
    assert (scatter > 0).all() and (scatter < 0.2).all()
    assert (np.abs(relative.mean(axis=0) - 1) < scatter + 0.02).all()


def test_a_cosmology_does_not_judge_itself():
    """The density at a sky is low if its cosmology is left out of the fit."""
    test = skies(96)
    # the skies of one cosmology are far off; they come in two realisations
    moved = Skies(test.summary.copy(), test.theta.copy())
    moved.theta[1] = moved.theta[0]
    moved.summary[:2, :, 1] += 1.0
    score = inference(test=moved).held_out.score
    assert score[:2].mean() < score[2:].mean() - 20


def test_information_is_what_the_score_says():
    one = inference(test=skies(256))
    gap = (one.held_out.information - one.held_out.score).mean(axis=1)
    error = gap.std() / np.sqrt(len(gap))
    assert abs(gap.mean()) < 4 * error
    assert error < 0.1


def test_right_posteriors_are_left_alone():
    found = calibrate([inference(), inference(seed=7)])
    assert found.verdict == Calibration.CALIBRATED
    assert [one.power for one in found.inferences] == [1, 1]
    assert found.coverage.curves.shape == (99, 2, len(CURVES))


def test_overconfidence_is_corrected():
    """Half the power corrects a likelihood that is used twice."""
    twice = inference(test=skies(160), power=2.0)
    before = calibrate([inference(test=skies(160))]).inferences[0].width
    found = calibrate([twice])
    assert found.verdict == Calibration.CORRECTED
    (corrected,) = found.inferences
    assert corrected.power == pytest.approx(1, abs=0.12)
    np.testing.assert_allclose(corrected.width, before, rtol=0.1)


def test_what_no_power_corrects_is_withheld():
    """No power turns two modes into a normal distribution."""
    found = calibrate([inference(test=skies(96, modes=True)), inference(seed=7)])
    assert found.verdict == Calibration.WITHHELD


def test_best_power_of_right_posteriors_is_one():
    assert best_power(inference(test=skies(160))) == pytest.approx(1, abs=0.12)


def test_ensemble_averages_what_saw_the_same_skies():
    one, other = skies(4, theta=FIDUCIAL), skies(4, seed=1, theta=FIDUCIAL)
    both = ensemble([one, other])
    np.testing.assert_allclose(both.summary, (one.summary + other.summary) / 2)
    with pytest.raises(InfoscopeError, match="different skies"):
        ensemble([one, skies(4, theta=(0.3, 0.8))])


def nuisance_of(n_sky, fiducial):
    """Draw two nuisance parameters, fiducial for mock observations."""
    values = np.random.default_rng(3).uniform([-1, 0.6], [3, 0.8], (n_sky, 2))
    at = np.array([1.0, 0.7])
    return Nuisance(("a_ia", "h"), np.tile(at, (n_sky, 1)) if fiducial else values, at)


def write_summaries(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, split in {
            "test": skies(48, n_tile=12, seed=0),
            "fiducial": skies(4, n_tile=12, seed=10, theta=FIDUCIAL),
        }.items():
            noise = np.random.default_rng(seed).normal(0, 0.005, split.summary.shape)
            group = file.create_group(name)
            group["summary"] = (split.summary + noise).astype(np.float32)
            group["theta"] = split.theta
            group["sky"] = 10 + np.arange(len(split.theta))
            group["cosmology"] = np.arange(len(split.theta))
            write_nuisance(group, nuisance_of(len(split.theta), name == "fiducial"))
        file.attrs["train_nll"], file.attrs["validation_nll"] = -1.0, -0.5 - seed
        file.attrs["validation_error"], file.attrs["final_drop"] = 0.01, 0.0
    return path


SPEC = {
    "degradation": "reference",
    "estimator_name": "cnn",
    "kind": "cnn",
    "same_as": "",
    "prior": PRIOR,
    "posterior": {"grid_size": 32, "bootstraps": 5, "condition_on": ["h", "w_0"]},
    "study_seed": 1,
}


@pytest.mark.parametrize("seeds", [1, 2])
def test_stage(tmp_path, seeds):
    paths = [
        write_summaries(tmp_path / f"seed_{seed}/summaries.h5", seed)
        for seed in range(seeds)
    ]
    infer_posterior.run(SPEC, paths, tmp_path / "out.h5")
    infer_posterior.run(SPEC, paths, tmp_path / "again.h5")
    rows = ["0"] if seeds == 1 else ["0", "1", "ensemble"]
    with h5py.File(tmp_path / "out.h5") as file, h5py.File(tmp_path / "again.h5") as b:
        assert list(file.attrs["training"]) == rows
        assert file["widths"].shape == (len(rows), 48, len(METRICS))
        assert file["bootstrap"].shape == (len(rows), 5, len(METRICS))
        assert file["density"].shape == (len(rows), 32, 32)
        assert file["coverage"].shape == (len(rows), 99, len(CURVES))
        assert file["samples"].shape == (20_000, 2)
        assert file["sky_score"].shape == (len(rows), 48)
        np.testing.assert_allclose(file["sky_score"][:].mean(axis=1), file["score"])
        np.testing.assert_array_equal(file["sky"], 10 + np.arange(48))
        np.testing.assert_array_equal(file["cosmology"], np.arange(48))
        np.testing.assert_allclose(file["ranks"][:].mean(axis=1), 1)
        assert file.attrs["calibration"] in (
            Calibration.CALIBRATED,
            Calibration.CORRECTED,
            Calibration.WITHHELD,
        )
        assert file.attrs["conditioned_on"] == "h"
        assert file.attrs["marginalised_over"] == "a_ia"
        assert file.attrs["validation_nll"] == np.mean([-0.5, -1.5][:seeds])
        for name in file:
            np.testing.assert_array_equal(file[name][:], b[name][:])
        if seeds == 2:
            # the mean of two has less of what each adds to the noise
            sigma = file["width"][:, METRICS.index("sigma_s8")]
            assert sigma[2] < sigma[:2].mean()


def test_stage_names_the_file_that_is_wrong(tmp_path):
    path = write_summaries(tmp_path / "seed_0/summaries.h5", 0)
    with h5py.File(path, "r+") as file:
        file["test/summary"][0, 0, 0] = np.nan
    with pytest.raises(InfoscopeError, match="seed_0.*not finite"):
        infer_posterior.run(SPEC, [path], tmp_path / "out.h5")
