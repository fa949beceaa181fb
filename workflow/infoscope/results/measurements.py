"""What was measured of one estimator under one degradation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infoscope.estimators.stopping import verdict
from infoscope.inference.inference import WITHHELD

Array = NDArray[np.float64]


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
        Fall of the validation loss in the last tenth of the steps.
    """

    train_nll: float
    validation_nll: float
    validation_error: float
    final_drop: float

    @property
    def verdict(self) -> str:
        """Whether the trainings converged."""
        gap = self.validation_nll - self.train_nll
        return verdict(self.final_drop, gap, self.validation_error)

    @property
    def columns(self) -> dict[str, str | float]:
        """Losses and verdict, as the tables have them."""
        return vars(self) | {"training_verdict": self.verdict}


@dataclass(frozen=True, eq=False)
class Measurement:
    """Posterior widths under one degradation with one estimator.

    Attributes
    ----------
    degradation, label, estimator, kind
        Names of the degradation (in the config and in figures) and of the estimator
        (in the config and its kind).
    width
        Metrics (n_seed, n_metric) of each seed.
    bootstrap
        The same for resampled skies (n_seed, n_boot, n_metric), with resamplings that
        all degradations share.
    ensemble, ensemble_bootstrap
        The same for the mean summary of all seeds, (n_metric,) and (n_boot, n_metric).
    calibration
        Verdict on the calibration of the posteriors.
    training
        How the networks were trained.
    """

    degradation: str
    label: str
    estimator: str
    kind: str
    width: Array
    bootstrap: Array
    ensemble: Array
    ensemble_bootstrap: Array
    calibration: str
    training: Training

    @property
    def n_seeds(self) -> int:
        """Number of trainings."""
        return len(self.width)

    @property
    def log_width(self) -> Array:
        """Logarithm (n_metric,) of the mean over seeds; nan if it is withheld."""
        log: Array = np.log(self.width.mean(axis=0))
        return log if self.calibration != WITHHELD else np.full_like(log, np.nan)

    @property
    def log_bootstrap(self) -> Array:
        """The same for every resampling, (n_boot, n_metric)."""
        result: Array = np.log(self.bootstrap.mean(axis=0))
        return result

    @property
    def own_variance(self) -> Array:
        """Variance (n_metric,) of the logarithm over seeds, of which there are two."""
        result: Array = np.log(self.width).var(axis=0, ddof=1)
        return result
