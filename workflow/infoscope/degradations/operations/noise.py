"""Operations on the shape noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Family


class ScaleNoise(Operation):
    """Multiplies the shape noise of the survey, at any place in the list."""

    operation: Literal["scale_noise"] = "scale_noise"
    family = Family.SURVEY
    domains = (
        "sphere",
        "tile",
        "harmonic",
    )
    nanoseconds_per_pixel = 0
    factor: float = Field(
        ge=0,
        description="Factor of the standard deviation; 0 means a noiseless survey.",
    )

    def check(self, survey: Survey) -> Survey:
        """Return the survey with the scaled noise."""
        return replace(survey, noise_factor=self.factor * survey.noise_factor)

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Return the sky unchanged: `degrade` adds the noise, scaled as by `check`."""
        return sky
