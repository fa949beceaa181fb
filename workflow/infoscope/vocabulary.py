"""Words that several rooms share: splits, metrics, verdicts."""

from __future__ import annotations

from typing import Literal

SPLITS = ("train", "validation", "test", "fiducial")


# those of `posterior`, which imports too much to be imported here
Metric = Literal[
    "sigma_s8",
    "sigma_omega_m",
    "sigma_sigma8",
    "area68",
    "area95",
    "fom",
    "information",
]


Expectation = Literal["wider", "narrower", "equivalent"]


# rules of which all jobs have ended when there are posteriors
CostlyRule = Literal[
    "simulate_skies",
    "degrade_maps",
    "collect_dataset",
    "train_estimator",
    "infer_posterior",
]


NoiseOrder = Literal["before", "after", "none"]
