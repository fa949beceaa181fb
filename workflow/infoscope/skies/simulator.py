"""Simulators of full-sky convergence maps: what they are, and their registry.

A simulator is a class in a module of `skies.simulators`: its parameters, its costs, and
a method `skies`, which turns the matter of one cosmology into as many skies as it is
given generators. What computes skies is imported by that method only, because every job
that Snakemake starts reads the config.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from infoscope.registry import Choice, Registry

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32
    from numpy.typing import NDArray

    from infoscope.cosmology.matter import Matter
    from infoscope.survey.survey import RedshiftDistribution


class Simulator(Choice):
    """Base of the simulators and readers of skies.

    A subclass has a field `name`, the literal name in the config.

    Attributes
    ----------
    caveat
        What the skies lack, for the first page of the report.
    rules
        File in `workflow/rules` whose rules make the skies.
    pixel_averaged
        Whether maps hold averages over pixels, or else values at their centres.
    nuisance
        Parameters that vary from sky to sky beside those that a study infers.
    """

    registry: ClassVar[Registry[Simulator]] = Registry("name")
    caveat: ClassVar[str]
    rules: ClassVar[str] = "simulate"
    pixel_averaged: ClassVar[bool] = False
    nuisance: ClassVar[tuple[str, ...]] = ()

    name: str

    @property
    def shell_width(self) -> float:
        """Comoving thickness in Mpc of the shells that the Fisher forecast sums."""
        return 100.0

    def check(
        self, n_bins: int, nside: int, h: float, scales: Mapping[str, Sequence[float]]
    ) -> None:
        """Refuse what is impossible for a study.

        Parameters
        ----------
        n_bins
            Number of redshift bins.
        nside
            Resolution of the maps.
        h
            H_0 / (100 km/s/Mpc).
        scales
            Comoving lengths in Mpc/h that operations look for, by key of the config.

        Raises
        ------
        InfoscopeError
            One line that names the key.
        """

    def prepare(self, results: Path) -> None:
        """Do what has to be done once, before the first job of a run."""

    def skies(
        self,
        matter: Matter,
        nz: RedshiftDistribution,
        nside: int,
        generators: Sequence[np.random.Generator],
    ) -> Iterator[Float32[NDArray, "n_map n_bins n_pix"]]:
        """Draw skies of one cosmology.

        Parameters
        ----------
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
            Maps in RING order: the convergence, then the terms of effects in the order
            of `effects.config.stored_effects`.
        """
        raise NotImplementedError

    def seconds(self, nside: int, n_shells: int, h: float) -> tuple[float, float]:
        """Time of a cosmology, and of each of its skies, on one core."""
        return 0.0, 1.0

    @property
    def memory_mb(self) -> float:
        """Memory of a job beside that of its maps, in 10⁶ bytes."""
        return 250.0

    def maps_on_disk(self, nside: int, n_terms: int) -> int:
        """Count the maps per bin that a sky leaves on disk beside its convergence.

        Parameters
        ----------
        nside
            Resolution.
        n_terms
            Terms of all effects.

        Returns
        -------
            The number; −1 if there is no map at all, not even the convergence.
        """
        return n_terms


class ShellSimulator(Simulator):
    """Base of the simulators that sum shells of matter."""

    abstract: ClassVar[bool] = True

    shell_width_mpc: float = Field(
        100.0, ge=20, le=1000, description="Comoving thickness of a shell, in Mpc."
    )

    @property
    def shell_width(self) -> float:
        """Comoving thickness in Mpc of the shells."""
        return self.shell_width_mpc

    def seconds(self, nside: int, n_shells: int, h: float) -> tuple[float, float]:
        """Time of a cosmology, and of each of its skies (benchmarks/skies.py)."""
        of_sky = n_shells * (2.1e-7 * nside**2 + 4.5e-10 * nside**3)
        return n_shells * 8e-6 * nside, of_sky
