"""Bounds on scores follow from the config."""

from __future__ import annotations

from typing import Any

import numpy as np

from infoscope.estimators.binned_spectra import binned_spectra
from infoscope.run.jobs import Job, jobs
from infoscope.study import bounds, specs
from infoscope.study.config import Study, parse_study
from infoscope.vocabulary import Family

HIGH = {"operation": "keep_convergence", "ranges": [[1, None]]}
MID_HIGH = {"operation": "keep_convergence", "ranges": [[-1, None]]}
SMOOTH = {"operation": "lowpass", "scale_mpc_h": 30}
PHASES = {"operation": "randomize_phases"}
SUM = {"operation": "sum_bins"}
QUIET = {"operation": "scale_noise", "factor": 0.5}
SURVEY = {"nside": 64, "patch": {"side_deg": 29.3, "pixels": 32}}


def study(survey: dict[str, Any] | None = None, **degradations: Any) -> Study:
    """Study of degradations, each a list of operations or all its keys."""
    keys = {
        name: own if isinstance(own, dict) else {"operations": own}
        for name, own in ({"reference": []} | degradations).items()
    }
    return parse_study(
        {"study": "x", "survey": SURVEY | (survey or {}), "degradations": keys}
    )


def test_cuts_are_nested():
    found = study(high=[HIGH], mid_high=[MID_HIGH], smooth_high=[SMOOTH, HIGH])
    assert bounds.nested(found) == [
        ("high", "reference"),
        ("high", "mid_high"),
        ("mid_high", "reference"),
        ("smooth_high", "reference"),
    ]
    assert bounds.counterfactuals(found) == []


def test_further_operations_are_bounded_by_earlier_ones():
    found = study(smooth=[SMOOTH], high=[SMOOTH, HIGH], both=[SMOOTH, MID_HIGH, SUM])
    pairs = bounds.nested(found)
    assert ("high", "smooth") in pairs and ("both", "smooth") in pairs
    assert ("smooth", "high") not in pairs
    # a sum is not the same after another cut, which has no sum
    assert ("high", "both") not in pairs
    then = study(high=[HIGH, SUM], mid_high=[MID_HIGH])
    assert ("high", "mid_high") in bounds.nested(then)
    assert ("high", "mid_high") not in bounds.nested(
        study(high=[HIGH, SUM], mid_high=[MID_HIGH, SUM])
    )


def test_other_surveys_are_counterfactuals():
    aligned = {"operations": [], "intrinsic_alignment": {"a_ia": 1.0}}
    found = study(
        after={"operations": [HIGH], "noise": "after"},
        noiseless={"operations": [], "noise": "none"},
        quiet=[QUIET],
        aligned=aligned,
        aligned_high=aligned | {"operations": [HIGH]},
        high=[HIGH],
    )
    assert bounds.counterfactuals(found) == [
        "after", "noiseless", "quiet", "aligned", "aligned_high",
    ]  # fmt: skip
    # noise can be added to maps without noise
    assert set(bounds.nested(found)) == {
        ("high", "reference"),
        ("aligned_high", "aligned"),
        ("reference", "noiseless"),
        ("high", "noiseless"),
        ("after", "noiseless"),
        ("quiet", "noiseless"),
    }


def test_noise_after_the_operations_cannot_be_told_from_before_without_operations():
    found = study(
        same={"noise": "after"}, high={"operations": [HIGH], "noise": "after"}
    )
    assert bounds.counterfactuals(found) == ["high"]
    # what is removed before noise is added is not in the reference
    after = study({"noise": "after"}, high=[HIGH], mid_high=[MID_HIGH])
    assert bounds.counterfactuals(after) == ["high", "mid_high"]
    assert bounds.nested(after) == []
    none = study({"noise": "none"}, high={"operations": [HIGH], "noise": "after"})
    assert bounds.nested(none) == [("high", "reference")]


def test_operations_of_the_survey_come_first():
    survey = {"base_operations": [SMOOTH]}
    assert bounds.counterfactuals(study(survey, high=[HIGH])) == []
    # a reference with less than the degradation bounds nothing
    less = study(reference=[SMOOTH], raw=[])
    assert bounds.nested(less) == [("reference", "raw")]
    assert bounds.counterfactuals(less) == ["raw"]


def test_spectra_are_bounded_only_by_linear_operations():
    found = study(
        high=[HIGH],
        smooth=[SMOOTH],
        smooth_high=[SMOOTH, HIGH],
        sums=[SUM],
        phases=[PHASES],
        flat=[{"operation": "flatten_spectrum"}],
    )
    assert len(bounds.bounds(found, "cnn")) == 7
    assert bounds.bounds(found, "power_spectrum") == [
        ("smooth", "reference"), ("sums", "reference"), ("phases", "reference"),
    ]  # fmt: skip


def test_random_phases_are_not_trained_again_on_spectra():
    found = study(
        phases=[PHASES],
        twice=[PHASES, PHASES],
        smooth=[PHASES, SMOOTH],
        noiseless={"operations": [PHASES], "noise": "none"},
        same=[],
    )
    used = {
        name: bounds.same_inputs(found, name, "power_spectrum")
        for name in found.degradations
    }
    assert used == dict.fromkeys(found.degradations) | {
        "phases": "reference", "twice": "reference",
    }  # fmt: skip
    assert bounds.same_inputs(found, "phases", "cnn") is None
    pairs = bounds.training_runs(found)
    assert len(pairs) == len(set(pairs)) == 2 * 6 - 2
    assert ("phases", "power_spectrum") not in pairs and ("phases", "cnn") in pairs
    # training runs of the reference, also where only the other one is named
    assert bounds.training_runs(found, ["phases"]) == [
        ("phases", "cnn"), ("reference", "power_spectrum"),
    ]  # fmt: skip
    assert specs.infer(found, "phases", "power_spectrum")["same_as"] == "reference"
    assert specs.infer(found, "phases", "cnn")["same_as"] == ""


def test_jobs_are_those_of_different_inputs():
    found = study(phases=[PHASES])
    curves = {"degradations": ["phases"], "fractions": [0.5]}
    found = parse_study(found.model_dump(mode="json") | {"learning_curves": curves})
    by_rule: dict[str, list[Job]] = {}
    for job in jobs(found):
        by_rule.setdefault(job.rule, []).append(job)
    seeds = found.training.seeds
    assert len(by_rule["train_estimator"]) == 3 * seeds
    assert len(by_rule["infer_posterior"]) == 4
    budgets = len(specs.budgets(found))
    assert len(by_rule["train_reduced"]) == 2 * budgets * seeds
    assert {
        (job.wildcards["degradation"], job.wildcards["estimator"])
        for job in by_rule["train_reduced"]
    } == {("phases", "cnn"), ("reference", "power_spectrum")}
    assert len(by_rule["infer_reduced"]) == 2 * budgets
    assert list(by_rule["train_reduced"][0].wildcards) == [
        "degradation", "estimator", "budget", "seed",
    ]  # fmt: skip


def test_binned_spectra_are_all_that_the_power_spectrum_sees() -> None:
    """Other phases of the modes of all bins do not change the inputs."""
    estimator = study().estimators["power_spectrum"]
    assert estimator.sees_spectra
    rng = np.random.default_rng(0)
    tiles = rng.standard_normal((3, 32, 32, 2))
    phase = np.fft.rfft2(rng.standard_normal((3, 32, 32)))[..., None]
    modes = np.fft.rfft2(tiles, axes=(1, 2)) * phase / np.abs(phase)
    others = np.fft.irfft2(modes, (32, 32), axes=(1, 2))
    inputs = estimator.inputs(tiles)
    np.testing.assert_allclose(estimator.inputs(others), inputs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        inputs, binned_spectra(tiles, estimator.n_ell), rtol=1e-6
    )


def test_families_of_counterfactuals():
    assert study(quiet=[QUIET]).degradations["quiet"].families == [Family.SURVEY]
