"""Operations on the tomographic bins, which remove redshift information."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from infoscope.degradations.operation import Operation, Response
from infoscope.degradations.patches import Constants, Patches
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Family

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray


class _Bins(Operation):
    """Replaces the bins by linear combinations of them."""

    family = Family.REDSHIFTS
    nanoseconds_per_pixel = 1

    def weights(self, survey: Survey) -> Float[NDArray, "n_new n_bins"]:
        """Return the weight of each bin in each new bin."""
        raise NotImplementedError

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Combine the bins."""
        survey = patches.survey
        return patches.combined(self.weights(survey), self.check(survey))

    def response(self, survey: Survey, ell: Float[NDArray, " n_ell"]) -> Response:
        """Return the response of Gaussian fields: that of the noise too."""
        return Response.mixing(self.weights(survey), ell)


class SumBins(_Bins):
    """Combines all redshift bins into one, weighted by their numbers of galaxies."""

    operation: Literal["sum_bins"] = "sum_bins"

    def check(self, survey: Survey) -> Survey:
        """Return the survey with all galaxies in one bin."""
        return survey.summed()

    def weights(self, survey: Survey) -> Float[NDArray, "1 n_bins"]:
        """Return the share of each bin in the number of galaxies.

        The noise is that of all galaxies, whether it is added before or after.
        """
        return (survey.n_gal_arcmin2 / survey.n_gal_arcmin2.sum())[None]


class SelectBins(_Bins):
    """Keeps some of the redshift bins, in the order given."""

    operation: Literal["select_bins"] = "select_bins"
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

    def weights(self, survey: Survey) -> Float[NDArray, "n_new n_bins"]:
        """Return 1 for the selected bins, and 0 for the others."""
        return np.eye(survey.n_bins)[[number - 1 for number in self.bins]]
