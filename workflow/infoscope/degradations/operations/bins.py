"""Operations on the tomographic bins, which remove redshift information."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Family


class SumBins(Operation):
    """Combines all redshift bins into one, weighted by their numbers of galaxies."""

    operation: Literal["sum_bins"] = "sum_bins"
    family = Family.REDSHIFTS
    domains = (
        "sphere",
        "tile",
        "harmonic",
    )
    nanoseconds_per_pixel = 2

    def check(self, survey: Survey) -> Survey:
        """Return the survey with all galaxies in one bin."""
        return survey.summed()

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Average the bins, weighted by their numbers of galaxies.

        The noise is that of all galaxies, whether it is added before or after.
        """
        weight = sky.survey.n_gal_arcmin2 / sky.survey.n_gal_arcmin2.sum()
        return sky.combined(weight[None], sky.survey.summed())


class SelectBins(Operation):
    """Keeps some of the redshift bins."""

    operation: Literal["select_bins"] = "select_bins"
    family = Family.REDSHIFTS
    domains = (
        "sphere",
        "tile",
        "harmonic",
    )
    nanoseconds_per_pixel = 2
    bins: list[int] = Field(
        min_length=1,
        description="Numbers of the bins that are kept, where 1 stands for n_1.",
    )

    @field_validator("bins")
    @classmethod
    def _distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) < len(value):
            raise ValueError(f"lists a bin twice: {value}")
        return value

    def check(self, survey: Survey) -> Survey:
        """Check that the bins exist, and return the survey with only these bins."""
        for number in self.bins:
            if not 1 <= number <= survey.n_bins:
                raise ValueError(
                    f"bins: there is no bin {number}; choose from "
                    f"{list(range(1, survey.n_bins + 1))}"
                )
        return survey.selected([number - 1 for number in self.bins])

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Keep the selected bins, in the order given."""
        survey = self.check(sky.survey)
        weights = np.eye(sky.survey.n_bins)[[number - 1 for number in self.bins]]
        return sky.combined(weights, survey)
