"""A sky: the maps of the tomographic bins, in one of three domains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from infoscope.maps import harmonics
from infoscope.maps.tiles import from_tiles, to_tiles
from infoscope.survey.survey import Survey

if TYPE_CHECKING:
    from jaxtyping import Complex, Float
    from numpy.typing import NDArray

Domain = Literal["sphere", "tile", "harmonic"]


@dataclass(frozen=True)
class Sky:
    r"""Maps of the tomographic bins, and their survey.

    Attributes
    ----------
    maps
        Convergence: (n_bins, n_pix) in RING order on the sphere and in the harmonic
        domain, (n_bins, n_tile, side, side) in the tile domain.
    survey
        Redshifts, densities and noise of the bins, and the resolution.
    alm
        In the harmonic domain only: a_ℓm up to ℓ = 3 nside - 1.
    analysed, beyond
        In the harmonic domain only: the a_ℓm of `maps`, and the factor in each bin for
        the modes of `maps` beyond the band limit. The sky is

        .. math:: S\,a + f\,(m - S\,a_0),

        with the synthesis :math:`S`, `alm` :math:`a`, `maps` :math:`m`, `analysed`
        :math:`a_0` and `beyond` :math:`f`. Conversion to the harmonic domain and back
        therefore loses nothing, and takes only one synthesis.
    """

    maps: Float[NDArray, "n_bins ..."]
    survey: Survey
    alm: Complex[NDArray, "n_bins n_alm"] | None = None
    analysed: Complex[NDArray, "n_bins n_alm"] | None = None
    beyond: Float[NDArray, " n_bins"] | None = None

    @property
    def domain(self) -> Domain:
        """Domain in which the sky is given."""
        if self.alm is not None:
            return "harmonic"
        return "sphere" if self.maps.ndim == 2 else "tile"

    def to(self, *domains: Domain) -> Sky:
        """Convert the sky to the first of `domains`, unless it is in one of them."""
        if self.domain in domains:
            return self
        sphere = self._to_sphere()
        if domains[0] == "sphere":
            return sphere
        if domains[0] == "tile":
            return replace(sphere, maps=to_tiles(sphere.maps, self.survey.tile_nside))
        alm = harmonics.analysis(sphere.maps)
        return replace(sphere, alm=alm, analysed=alm, beyond=np.ones(len(alm)))

    def _to_sphere(self) -> Sky:
        if self.domain == "sphere":
            return self
        if self.domain == "tile":
            return replace(self, maps=from_tiles(self.maps, self.survey.tile_nside))
        assert self.alm is not None
        assert self.analysed is not None and self.beyond is not None
        maps = np.empty(self.maps.shape)
        for b, factor in enumerate(self.beyond):
            alm, original = self.alm[b], self.maps[b]
            if factor:
                original_alm = self.analysed[b]
                if factor != 1:
                    original_alm, original = factor * original_alm, factor * original
                # subtracting before the synthesis saves a second synthesis
                alm = alm - original_alm
            maps[b] = harmonics.synthesis(alm[None], self.survey.nside)[0]
            if factor:
                maps[b] += original
        return Sky(maps, self.survey)

    def covariance_beyond(self) -> Float[NDArray, "n_bins n_bins"]:
        """Compute the covariance of the bins beyond the band limit."""
        assert self.analysed is not None and self.beyond is not None
        band_limited = harmonics.covariance(
            self.analysed, harmonics.lmax_of(self.survey.nside)
        )
        total = self.maps @ self.maps.T / self.maps.shape[1]
        return np.outer(self.beyond, self.beyond) * (total - band_limited)

    def combined(self, weights: Float[NDArray, "n_new n_bins"], survey: Survey) -> Sky:
        """Return linear combinations of the bins, in any domain.

        Parameters
        ----------
        weights
            Weight of each bin in each new bin.
        survey
            Survey with the new bins.
        """
        if self.domain != "harmonic":
            return Sky(np.tensordot(weights, self.maps, 1), survey)
        assert self.alm is not None
        assert self.analysed is not None and self.beyond is not None
        kept = weights * self.beyond
        return Sky(
            kept @ self.maps,
            survey,
            weights @ self.alm,
            kept @ self.analysed,
            kept.any(axis=1).astype(float),
        )


def per_bin(
    values: Sequence[float] | Float[NDArray, " n_bins"],
    maps: Float[NDArray, "n_bins ..."],
) -> Float[NDArray, "n_bins ..."]:
    """Reshape one value per bin, so that it broadcasts over the pixels of maps.

    >>> per_bin([1.0, 2.0], np.zeros((2, 48))).shape
    (2, 1)
    """
    return np.reshape(values, (-1, *[1] * (maps.ndim - 1)))
