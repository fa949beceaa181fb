"""Nuisance parameters: what varies from sky to sky and is not inferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infoscope.errors import InfoscopeError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Nuisance:
    """Nuisance parameters of some skies.

    Attributes
    ----------
    names
        Their names, k of them.
    values
        Shape (n_sky, k).
    fiducial
        Values (k,) of the mock observations.
    """

    names: tuple[str, ...]
    values: Array
    fiducial: Array

    @classmethod
    def none(cls, n_sky: int) -> Nuisance:
        """No parameters."""
        return cls((), np.empty((n_sky, 0)), np.empty(0))

    def joined(self, other: Nuisance) -> Nuisance:
        """Put the parameters of `other`, for the same skies, beside these."""
        return Nuisance(
            self.names + other.names,
            np.concatenate([self.values, other.values], axis=1),
            np.concatenate([self.fiducial, other.fiducial]),
        )

    def offsets(self, names: Sequence[str]) -> Array:
        """Offsets (n_sky, k) from the fiducial, in units of the scatter over skies.

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
        result: Array = (values - self.fiducial[columns]) / scatter
        return result
