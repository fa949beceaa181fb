"""Base class and shared types of the models that describe the config."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
)

Interval = tuple[float, float]


class Model(BaseModel):
    """A section of the config: unknown keys are errors, and instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def increasing(interval: Interval) -> Interval:
    """Return the interval, or raise ValueError if it is empty.

    >>> increasing((0.15, 0.45))
    (0.15, 0.45)
    """
    if interval[0] >= interval[1]:
        raise ValueError(f"must be [low, high] with low < high, got {list(interval)}")
    return interval


def _without_wildcards(path: str) -> str:
    if path.startswith("-") or any(character in path for character in "{}\n\0"):
        raise ValueError(
            f"{path!r}: braces, line breaks and a leading '-' have a special meaning "
            "for Snakemake; rename the file"
        )
    return path


# an input file of a rule, whose path Snakemake interprets as a pattern
InputFile = Annotated[str, AfterValidator(_without_wildcards)]


def file_of(model: type[Model]) -> Path:
    """File that defines a model."""
    return Path(sys.modules[model.__module__].__file__ or "")
