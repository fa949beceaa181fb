"""Config of the degradations."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pydantic import Field

from infoscope.degradations import operations
from infoscope.degradations.operation import Operation
from infoscope.effects.config import DegradationEffects
from infoscope.vocabulary import Family, NoiseOrder

assert operations  # imported because it registers them

if TYPE_CHECKING:
    AnyOperation: TypeAlias = Operation
else:
    AnyOperation = Operation.registry.union()


class Degradation(DegradationEffects):
    """What is removed from every map before a network is trained on it."""

    operations: list[AnyOperation] = Field([], description="Operations, in order.")
    label: str | None = Field(None, description="Name in figures.")
    noise: NoiseOrder | None = Field(
        None, description="Overrides survey.noise for this degradation."
    )

    @property
    def families(self) -> list[Family]:
        """Families of its operations, in order."""
        return [operation.family for operation in self.operations]
