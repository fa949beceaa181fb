"""Words of the config and of the results, each written in one place."""

from __future__ import annotations

from enum import StrEnum

# name of the degradation that all others are compared with
REFERENCE = "reference"


class Split(StrEnum):
    """Skies of one purpose."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    FIDUCIAL = "fiducial"


class NoiseOrder(StrEnum):
    """When shape noise is added: before or after the operations, or not at all."""

    BEFORE = "before"
    AFTER = "after"
    NONE = "none"


class Family(StrEnum):
    """Kind of information that a degradation removes, in the order of figures."""

    REFERENCE = "reference"
    SCALES = "scales"
    VALUES = "values"
    CONTROLS = "controls"
    STATISTICS = "statistics"
    POSITIONS = "positions"
    REDSHIFTS = "redshifts"
    SURVEY = "survey"
    OWN = "own"
    COMBINED = "combined"

    @property
    def heading(self) -> str:
        """Name in figures."""
        return _HEADINGS[self]


_HEADINGS = {
    Family.REFERENCE: "Reference",
    Family.SCALES: "Scales",
    Family.VALUES: "Values of the convergence",
    Family.CONTROLS: "Random masks (controls)",
    Family.STATISTICS: "Gaussian or non-Gaussian",
    Family.POSITIONS: "Positions",
    Family.REDSHIFTS: "Redshift bins",
    Family.SURVEY: "Noise and effects",
    Family.OWN: "User-defined operations",
    Family.COMBINED: "Combined",
}


class Metric(StrEnum):
    """Width of a posterior."""

    SIGMA_S8 = "sigma_s8"
    SIGMA_OMEGA_M = "sigma_omega_m"
    SIGMA_SIGMA8 = "sigma_sigma8"
    AREA68 = "area68"
    AREA95 = "area95"
    FOM = "fom"
    INFORMATION = "information"


METRICS = tuple(metric.value for metric in Metric)
# Larger for a narrower posterior.
GAINS = (Metric.FOM.value, Metric.INFORMATION.value)


class Expectation(StrEnum):
    """What a claim expects of a posterior, compared with another one."""

    WIDER = "wider"
    NARROWER = "narrower"
    EQUIVALENT = "equivalent"


class Verdict(StrEnum):
    """What a comparison of two widths, or a claim, has shown."""

    REFERENCE = "reference"
    WIDER = "wider"
    # only where nothing forbids it: see `study.bounds`
    NARROWER = "narrower"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"
    # more information than in the maps that were degraded
    IMPOSSIBLE = "impossible"
    # narrower in one metric, but without more information
    RESHAPED = "reshaped"
    WITHHELD = "withheld"
    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"


class Calibration(StrEnum):
    """Whether posteriors contain the truth as often as they state."""

    CALIBRATED = "calibrated"
    CORRECTED = "corrected"
    WITHHELD = "withheld"


class TrainingVerdict(StrEnum):
    """Whether more steps, or more skies, would improve a training run."""

    TRAINED = "trained"
    FALLING = "falling"
    OVERFIT = "overfit"


class Agreement(StrEnum):
    """Whether a measurement agrees with what was expected of it."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNDECIDED = "undecided"


class OrderAgreement(StrEnum):
    """Whether attribution and ablation put degradations in the same order."""

    AGREE = "agree"
    DISAGREE = "disagree"
    UNDECIDED = "undecided"


class CostlyRule(StrEnum):
    """Rules whose jobs have all ended once there are posteriors."""

    SIMULATE_SKIES = "simulate_skies"
    DEGRADE_MAPS = "degrade_maps"
    COLLECT_DATASET = "collect_dataset"
    TRAIN_ESTIMATOR = "train_estimator"
    INFER_POSTERIOR = "infer_posterior"
