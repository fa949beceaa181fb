"""Config of the estimators and of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pydantic import Field, TypeAdapter

from infoscope.estimators import kinds
from infoscope.estimators.estimator import Estimator
from infoscope.models import Model

assert kinds  # imported because it registers them

if TYPE_CHECKING:
    AnyEstimator: TypeAlias = Estimator
else:
    AnyEstimator = Estimator.registry.union()


def parse_estimator(spec: dict[str, object]) -> Estimator:
    """Parse the estimator in the spec of a job."""
    return TypeAdapter[Estimator](AnyEstimator).validate_python(spec)


class TrainingConfig(Model):
    """Settings of all training runs."""

    seeds: int = Field(
        2, ge=1, description="Training runs per estimator and degradation."
    )
    evaluate_every: int = Field(
        250, ge=1, description="Steps between two evaluations of the validation skies."
    )
    patience: int = Field(
        8,
        ge=1,
        description="Training stops after this number of evaluations without a lower "
        "validation loss.",
    )
