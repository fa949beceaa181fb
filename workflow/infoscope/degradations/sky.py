"""A sky: the maps of the tomographic bins, in one of three domains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from infoscope.maps import harmonics
from infoscope.maps.tiles import from_tiles, to_tiles
from infoscope.survey.survey import Survey

Domain = Literal["sphere", "tile", "harmonic"]


@dataclass(frozen=True)
class Sky:
    r"""Maps of the tomographic bins, and the survey that they belong to.

    Attributes
    ----------
    maps
        Convergence: (n_bins, n_pix) in RING order on the sphere, or
        (n_bins, n_tile, side, side).
    survey
        What is known of the bins: redshifts, densities, resolution.
    alm
        In the harmonic domain only: a_ℓm (n_bins, n_alm) up to ℓ = 3 nside - 1.
    analysed, beyond
        In the harmonic domain, what `maps` held when they were analysed, and how much
        of the rest, that lies beyond the band limit, is kept in each bin: the sky is

        .. math:: S\,a + f\,(m - S\,a_0),

        with synthesis :math:`S`, `alm` :math:`a`, `maps` :math:`m`, `analysed`
        :math:`a_0` and `beyond` :math:`f`. So nothing is lost on the way there and
        back, and one synthesis is enough.
    """

    maps: NDArray
    survey: Survey
    alm: NDArray | None = None
    analysed: NDArray | None = None
    beyond: NDArray | None = None

    @property
    def domain(self) -> Domain:
        """Where the sky is."""
        if self.alm is not None:
            return "harmonic"
        return "sphere" if self.maps.ndim == 2 else "tile"

    def to(self, *domains: Domain) -> Sky:
        """Convert to the first of `domains`, unless it is in one of them already."""
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
            inside, whole = self.alm[b], self.maps[b]
            if factor:
                known = self.analysed[b]
                if factor != 1:
                    known, whole = factor * known, factor * whole
                # subtracting before the synthesis saves a second one
                inside = inside - known
            maps[b] = harmonics.synthesis(inside[None], self.survey.nside)[0]
            if factor:
                maps[b] += whole
        return Sky(maps, self.survey)

    def covariance_beyond(self) -> NDArray:
        """Covariance of the bins beyond the band limit, shape (n_bins, n_bins)."""
        assert self.analysed is not None and self.beyond is not None
        inside = harmonics.covariance(
            self.analysed, harmonics.lmax_of(self.survey.nside)
        )
        total = self.maps @ self.maps.T / self.maps.shape[1]
        return np.outer(self.beyond, self.beyond) * (total - inside)

    def combined(self, weights: NDArray, survey: Survey) -> Sky:
        """Linear combinations of the bins in any domain.

        Parameters
        ----------
        weights
            Weight of each bin in each new one, shape (n_new, n_bins).
        survey
            The survey with the new bins.
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


def per_bin(values: Sequence[float] | NDArray, maps: NDArray) -> NDArray:
    """Shape one value a bin so that it multiplies maps of any domain."""
    return np.reshape(values, (-1, *[1] * (maps.ndim - 1)))
