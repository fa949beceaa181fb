"""Gaussian skies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from infoscope.skies.simulator import ShellSimulator

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32
    from numpy.typing import NDArray

    from infoscope.cosmology.matter import Matter
    from infoscope.survey.survey import RedshiftDistribution


class Gaussian(ShellSimulator):
    """Gaussian shells of matter, for which the Fisher forecast is exact."""

    name: Literal["gaussian"] = "gaussian"
    caveat = (
        "Skies are Gaussian: power spectra contain all their information, and the "
        "study cannot show what a network learns from non-Gaussian structure."
    )

    def skies(
        self,
        matter: Matter,
        nz: RedshiftDistribution,
        nside: int,
        generators: Sequence[np.random.Generator],
    ) -> Iterator[Float32[NDArray, "n_map n_bins n_pix"]]:
        """Draw and sum Gaussian shells."""
        from infoscope.skies import fields

        return fields.skies(
            matter, nz, nside, generators, self.shell_width_mpc, lognormal=False
        )
