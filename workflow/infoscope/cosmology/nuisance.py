"""Nuisance parameters: they vary from sky to sky and are not inferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infoscope.errors import InfoscopeError

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Nuisance:
    """Nuisance parameters of a set of skies.

    Attributes
    ----------
    names
        Names of the parameters.
    values
        Values in each sky.
    fiducial
        Values in the mock observations.
    """

    names: tuple[str, ...]
    values: Float[NDArray, "n_sky n_nuisance"]
    fiducial: Float[NDArray, " n_nuisance"]

    @classmethod
    def none(cls, n_sky: int) -> Nuisance:
        """Return an empty set of parameters."""
        return cls((), np.empty((n_sky, 0)), np.empty(0))

    def joined(self, other: Nuisance) -> Nuisance:
        """Append the parameters of `other`, which belong to the same skies."""
        return Nuisance(
            self.names + other.names,
            np.concatenate([self.values, other.values], axis=1),
            np.concatenate([self.fiducial, other.fiducial]),
        )

    def offsets(self, names: Sequence[str]) -> Float[NDArray, "n_sky n_names"]:
        """Return offsets from the fiducial, in units of the scatter over skies.

        Raises
        ------
        InfoscopeError
            If a parameter has the same value in all skies.
        """
        columns = [self.names.index(name) for name in names]
        values = self.values[:, columns]
        scatter = values.std(axis=0)
        for name, size in zip(names, scatter, strict=True):
            if not size > 0:
                raise InfoscopeError(
                    f"posterior.condition_on: {name} is the same in all test skies; "
                    "remove it"
                )
        return (values - self.fiducial[columns]) / scatter
