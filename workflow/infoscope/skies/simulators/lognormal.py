"""Lognormal skies."""

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


class Lognormal(ShellSimulator):
    """Lognormal shells of matter (GLASS), summed in the Born approximation."""

    name: Literal["lognormal"] = "lognormal"
    caveat = (
        "Skies are lognormal: power spectra and the distribution of pixel values are "
        "about right, but gravity has formed no filaments, haloes or voids. Results "
        "on peaks, voids and phases may differ in N-body skies."
    )

    def skies(
        self,
        matter: Matter,
        nz: RedshiftDistribution,
        nside: int,
        generators: Sequence[np.random.Generator],
    ) -> Iterator[Float32[NDArray, "n_map n_bins n_pix"]]:
        """Draw and sum lognormal shells."""
        from infoscope.skies import fields

        return fields.skies(
            matter, nz, nside, generators, self.shell_width_mpc, lognormal=True
        )

    def seconds(self, nside: int, n_shells: int, h: float) -> tuple[float, float]:
        """Return the time per cosmology, and per sky (benchmarks/skies.py)."""
        per_cosmology, per_sky = super().seconds(nside, n_shells, h)
        return per_cosmology + n_shells * 1e-7 * nside**2, per_sky
