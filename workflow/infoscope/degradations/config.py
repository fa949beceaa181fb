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
    """Operations that are applied to every map before a network is trained on it."""

    operations: list[AnyOperation] = Field(
        [], description="Operations, in the order in which they are applied."
    )
    label: str | None = Field(
        None, description="Name in figures; by default the name of the degradation."
    )
    noise: NoiseOrder | None = Field(
        None, description="Overrides survey.noise for this degradation."
    )

    @property
    def families(self) -> list[Family]:
        """Families of the operations, in order."""
        return [operation.family for operation in self.operations]
