"""Config of the simulators."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pydantic import TypeAdapter

from infoscope.skies import simulators
from infoscope.skies.simulator import Simulator

assert simulators  # imported because it registers them

if TYPE_CHECKING:
    AnySimulator: TypeAlias = Simulator
else:
    AnySimulator = Simulator.registry.union()


def parse_simulator(spec: dict[str, object]) -> Simulator:
    """Parse the simulator in the spec of a job."""
    return TypeAdapter[Simulator](AnySimulator).validate_python(spec)
