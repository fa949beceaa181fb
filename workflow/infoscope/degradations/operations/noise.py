"""Operations on the shape noise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from infoscope.degradations.operation import Operation, Response
from infoscope.degradations.patches import Constants, Patches
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Family

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray


class ScaleNoise(Operation):
    """Multiplies the shape noise of the survey, at any place in the list."""

    operation: Literal["scale_noise"] = "scale_noise"
    family = Family.SURVEY
    nanoseconds_per_pixel = 0
    factor: float = Field(
        ge=0,
        description="Factor of the standard deviation; 0 means a noiseless survey.",
    )

    def check(self, survey: Survey) -> Survey:
        """Return the survey with the scaled noise."""
        return replace(survey, noise_factor=self.factor * survey.noise_factor)

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Return the patches unchanged: `degrade` adds noise scaled as by `check`."""
        return patches

    def response(self, survey: Survey, ell: Float[NDArray, " n_ell"]) -> Response:
        """Return the response of Gaussian fields, of which only the noise changes."""
        return Response.mixing(np.eye(survey.n_bins), ell)
