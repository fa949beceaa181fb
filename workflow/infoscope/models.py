"""Base of all models that describe a config: unknown keys are mistakes."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
)

Interval = tuple[float, float]


class Model(BaseModel):
    """A part of the config: unknown keys are mistakes and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def increasing(interval: Interval) -> Interval:
    """Refuse an interval that is empty."""
    if interval[0] >= interval[1]:
        raise ValueError(f"must be [low, high] with low < high, got {list(interval)}")
    return interval


def _plain(path: str) -> str:
    if path.startswith("-") or any(character in path for character in "{}\n\0"):
        raise ValueError(
            f"{path!r}: Snakemake has another meaning for braces, line breaks and a "
            "leading '-' in the name of a file; rename it"
        )
    return path


# of the inputs of rules, which Snakemake reads as patterns
InputFile = Annotated[str, AfterValidator(_plain)]
