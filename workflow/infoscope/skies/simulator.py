"""Simulators of full-sky convergence maps: their base class and registry.

A simulator is a class in a module of `skies.simulators`. It defines its parameters, its
costs, and a method `skies`, which draws skies of one cosmology, one for each random
number generator. Modules that take long to import are imported within this method,
because every job reads the config.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    """Base class of all simulators and readers of skies.

    A subclass has a field `name`, whose literal value is the name in the config.

    Attributes
    ----------
    caveat
        Limitations of the skies, for the first page of the report.
    rules
        File in workflow/rules with the rules that make the skies.
    pixel_averaged
        Whether maps contain averages over pixels, or values at their centres.
    nuisance
        Nuisance parameters that vary between skies.
    """

    registry: ClassVar[Registry[Simulator]] = Registry("name")
    caveat: ClassVar[str]
    rules: ClassVar[str] = "simulate"
    pixel_averaged: ClassVar[bool] = False
    nuisance: ClassVar[tuple[str, ...]] = ()

    name: str

    @property
    def shell_width(self) -> float:
        """Comoving thickness in Mpc of the shells in the Fisher forecast."""
        return 100.0

    def check(
        self, n_bins: int, nside: int, h: float, scales: Mapping[str, Sequence[float]]
    ) -> None:
        """Check the parameters against the other settings of a study.

        Parameters
        ----------
        n_bins
            Number of redshift bins.
        nside
            HEALPix nside of the maps.
        h
            H_0 / (100 km/s/Mpc).
        scales
            Comoving lengths in Mpc/h of the operations, by key of the config.

        Raises
        ------
        InfoscopeError
            If they are impossible: one line that names the key.
        """

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
            Matter power spectra and distances of the cosmology.
        nz
            Redshift distributions of the bins.
        nside
            HEALPix nside of the maps.
        generators
            One random number generator per sky. A sky must not depend on any other.

        Yields
        ------
            Maps in RING order: the convergence, then the terms of effects in the order
            of `effects.config.stored_effects`.
        """
        raise NotImplementedError

    def seconds(self, nside: int, n_shells: int, h: float) -> tuple[float, float]:
        """Return the time per cosmology, and per sky, on one core.

        Parameters
        ----------
        nside
            HEALPix nside of the maps.
        n_shells
            Number of shells.
        h
            H_0 / (100 km/s/Mpc).
        """
        return 0.0, 1.0

    @property
    def memory_mb(self) -> float:
        """Memory of a job in 10⁶ bytes, without its maps."""
        return 250.0

    def terms_on_disk(self, n_terms: int) -> int:
        """Count the terms of effects on disk, of `n_terms` that a study uses."""
        return n_terms


class ShellSimulator(Simulator):
    """Base class of simulators that sum shells of matter."""

    abstract: ClassVar[bool] = True

    shell_width_mpc: float = Field(
        100.0, ge=20, le=1000, description="Comoving thickness of a shell, in Mpc."
    )

    @property
    def shell_width(self) -> float:
        """Comoving thickness in Mpc of the shells."""
        return self.shell_width_mpc

    def seconds(self, nside: int, n_shells: int, h: float) -> tuple[float, float]:
        """Return the time per cosmology, and per sky (benchmarks/skies.py)."""
        per_sky = n_shells * (2.1e-7 * nside**2 + 4.5e-10 * nside**3)
        return n_shells * 8e-6 * nside, per_sky
