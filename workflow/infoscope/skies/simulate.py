"""Simulators of full-sky convergence maps, chosen by name in the config.

A simulator is a module with a function `skies`, which turns the matter of one cosmology
into as many skies as it is given generators. The registry holds names of modules, so
that a study imports, and its results depend on, the one that it uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from infoscope.cosmology.matter import Matter
    from infoscope.skies.config import Simulator
    from infoscope.survey.survey import RedshiftDistribution

MODULES = {"gaussian": "fields", "lognormal": "fields", "nbody": "nbody"}


class Skies(Protocol):
    """What a simulator is."""

    def __call__(
        self,
        config: Simulator,
        matter: Matter,
        nz: RedshiftDistribution,
        nside: int,
        generators: Sequence[np.random.Generator],
    ) -> Iterator[NDArray]:
        """Draw a sky with each generator."""


def simulate(
    config: Simulator,
    matter: Matter,
    nz: RedshiftDistribution,
    nside: int,
    generators: Sequence[np.random.Generator],
) -> Iterator[NDArray]:
    """Draw skies of one cosmology.

    Parameters
    ----------
    config
        Which simulator, and its options.
    matter
        The cosmology.
    nz
        Redshift distribution of the bins.
    nside
        Resolution.
    generators
        One for each sky; a sky depends on nothing else that is random.

    Yields
    ------
        Maps (1 + n_order, n_bins, 12 nside²) in RING order: the convergence, and the
        terms of `intrinsic_alignment` for A_IA = 1.
    """
    skies: Skies = import_module(f"infoscope.skies.{MODULES[config.name]}").skies
    return skies(config, matter, nz, nside, generators)
