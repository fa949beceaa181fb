"""Config of the degradations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from infoscope.cosmology.config import (
    IntrinsicAlignment,
)
from infoscope.degradations.operation import REGISTRY, Operation
from infoscope.degradations.operations.bins import SelectBins, SumBins
from infoscope.degradations.operations.filters import (
    BandPass,
    BandStop,
    HighPass,
    LowPass,
)
from infoscope.degradations.operations.noise import ScaleNoise
from infoscope.degradations.operations.peaks import SelectPeaks, SelectVoids
from infoscope.degradations.operations.positions import ShufflePixels
from infoscope.degradations.operations.spectra import FlattenSpectrum, RandomizePhases
from infoscope.degradations.operations.values import (
    GaussianizePixels,
    KeepConvergence,
    RandomMask,
)
from infoscope.models import Model
from infoscope.vocabulary import NoiseOrder


def _own_first(value: Any, built_in: ValidatorFunctionWrapHandler) -> Operation:
    """Validate an operation of the user's own files, or one that is built in."""
    name = value.get("operation") if isinstance(value, Mapping) else None
    known = REGISTRY.get(name) if isinstance(name, str) else None
    if known is None:
        return built_in(value)
    return known.model.model_validate(value)


BuiltIn = Annotated[
    LowPass
    | HighPass
    | BandPass
    | BandStop
    | KeepConvergence
    | RandomMask
    | SelectPeaks
    | SelectVoids
    | ShufflePixels
    | SumBins
    | SelectBins
    | RandomizePhases
    | FlattenSpectrum
    | GaussianizePixels
    | ScaleNoise,
    Field(discriminator="operation"),
]


AnyOperation = Annotated[BuiltIn, WrapValidator(_own_first)]


class Degradation(Model):
    """What is removed from every map before a network is trained on it."""

    operations: list[AnyOperation] = Field([], description="Operations, in order.")
    label: str | None = Field(None, description="Name in figures.")
    noise: NoiseOrder | None = Field(
        None, description="Overrides survey.noise for this degradation."
    )
    intrinsic_alignment: IntrinsicAlignment | None = Field(
        None, description="Overrides survey.intrinsic_alignment for this degradation."
    )
