"""Posterior widths and training losses of one estimator under one degradation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infoscope.estimators.stopping import verdict
from infoscope.vocabulary import Calibration

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Training:
    """Losses of the networks of an estimator in nat, averaged over seeds.

    Attributes
    ----------
    train_nll, validation_nll
        Losses at the best step.
    validation_error
        Standard error of `validation_nll`.
    final_drop
        Decrease of the validation loss in the last tenth of the steps.
    """

    train_nll: float
    validation_nll: float
    validation_error: float
    final_drop: float

    @property
    def verdict(self) -> str:
        """Whether the networks are `trained`, `falling` or `overfit`."""
        gap = self.validation_nll - self.train_nll
        return verdict(self.final_drop, gap, self.validation_error)

    @property
    def columns(self) -> dict[str, str | float]:
        """Losses and verdict as columns of a table."""
        return vars(self) | {"training_verdict": self.verdict}


@dataclass(frozen=True, eq=False)
class Measurement:
    """Posterior widths under one degradation with one estimator.

    Attributes
    ----------
    degradation, label
        Name of the degradation in the config and in figures.
    estimator, kind
        Name of the estimator in the config, and its kind.
    width
        Median widths over mock observations, for each seed.
    bootstrap
        The same for bootstrap resamples of the skies, which all degradations share.
    ensemble, ensemble_bootstrap
        The same for the mean summary of all seeds.
    score
        Mean score of the tiles of each test sky in bits, for each seed.
    sky, cosmology
        Numbers of the test skies and of their cosmologies.
    calibration
        Verdict on the calibration of the posteriors.
    training
        Losses of the training runs.
    same_as
        Degradation with the same inputs whose training runs these are, or empty.
    """

    degradation: str
    label: str
    estimator: str
    kind: str
    width: Float[NDArray, "n_seed n_metric"]
    bootstrap: Float[NDArray, "n_seed n_boot n_metric"]
    ensemble: Float[NDArray, " n_metric"]
    ensemble_bootstrap: Float[NDArray, "n_boot n_metric"]
    score: Float[NDArray, "n_seed n_sky"]
    sky: Int[NDArray, " n_sky"]
    cosmology: Int[NDArray, " n_sky"]
    calibration: str
    training: Training
    same_as: str = ""

    @property
    def n_seeds(self) -> int:
        """Number of training runs."""
        return len(self.width)

    @property
    def log_width(self) -> Float[NDArray, " n_metric"]:
        """Logarithm of the mean width over seeds; nan if it is withheld."""
        log = np.log(self.width.mean(axis=0))
        return (
            log
            if self.calibration != Calibration.WITHHELD
            else np.full_like(log, np.nan)
        )

    @property
    def log_bootstrap(self) -> Float[NDArray, "n_boot n_metric"]:
        """Logarithm of the mean width over seeds, for each resample of the skies."""
        return np.log(self.bootstrap.mean(axis=0))

    @property
    def scores(self) -> Float[NDArray, "n_seed 1"]:
        """Mean score over the skies in bits, for each seed."""
        mean: NDArray = self.score.mean(axis=1, keepdims=True)
        return mean

    @property
    def log_widths(self) -> Float[NDArray, "n_seed n_metric"]:
        """Logarithm of the width for each seed."""
        return np.log(self.width)

    def shares_runs(self, other: Measurement) -> bool:
        """Whether two measurements are of the same training runs."""
        if self is other:
            return True
        return (
            self.estimator == other.estimator
            and bool(self.same_as or other.same_as)
            and (self.same_as or self.degradation)
            == (other.same_as or other.degradation)
            and np.array_equal(self.width, other.width)
        )
