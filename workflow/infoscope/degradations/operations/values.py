"""Operations that select or change the values of the convergence.

None of them is linear. σ_κ and quantiles are computed per sky and bin, noise included.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky, per_bin
from infoscope.errors import InfoscopeError
from infoscope.models import Model
from infoscope.vocabulary import Family

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy.typing import NDArray


class ConvergenceRanges(Model):
    """A union of ranges of the convergence."""

    ranges: list[tuple[float | None, float | None]] = Field(
        min_length=1, description="Ranges [low, high]; null means unbounded."
    )
    by: Literal["sigma", "quantile"] = Field(
        "sigma",
        description="Unit of the ranges: κ / σ_κ or quantiles of κ, both per sky and "
        "bin.",
    )

    @model_validator(mode="after")
    def _ranges(self) -> ConvergenceRanges:
        for low, high in self.ranges:
            if low is not None and high is not None and low >= high:
                raise ValueError(f"ranges: [{low}, {high}] is empty")
            edges = [edge for edge in (low, high) if edge is not None]
            if self.by == "quantile" and any(not 0 <= edge <= 1 for edge in edges):
                raise ValueError(
                    f"ranges: quantiles must be between 0 and 1, got {edges}"
                )
        return self

    def contain(self, values: Float[NDArray, "*shape"]) -> Bool[NDArray, "*shape"]:
        """Return a mask of the values of a map that lie in any of the ranges.

        Raises
        ------
        InfoscopeError
            If there is no such value.
        """
        sigma = values.std()
        inside = np.zeros(values.shape, bool)
        for low, high in self.ranges:
            if self.by == "sigma":
                lower = -np.inf if low is None else low * sigma
                upper = np.inf if high is None else high * sigma
            else:
                lower = np.quantile(values, low) if low else -np.inf
                # the largest value belongs to the last range
                upper = np.inf if high in (None, 1) else np.quantile(values, high)
            inside |= (values >= lower) & (values < upper)
        if not inside.any():
            raise InfoscopeError(
                f"ranges {self.ranges} ({self.by}) contain no pixel of a bin; widen "
                "them"
            )
        return inside


class KeepConvergence(ConvergenceRanges, Operation):
    """Keeps pixels whose convergence lies in a union of ranges, bin by bin.

    Does not commute with noise.
    """

    operation: Literal["keep_convergence"] = "keep_convergence"
    family = Family.VALUES
    domains = (
        "sphere",
        "tile",
    )
    nanoseconds_per_pixel = 8
    fill: float = Field(0.0, description="Value of the removed pixels.")

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Set pixels outside the ranges to the fill value."""
        keep = np.stack([self.contain(values) for values in sky.maps])
        return replace(sky, maps=np.where(keep, sky.maps, self.fill))


class RandomMask(Operation):
    """Keeps random pixels: the control of `keep_convergence` with the same area.

    Does not commute with noise.
    """

    operation: Literal["random_mask"] = "random_mask"
    family = Family.CONTROLS
    domains = (
        "sphere",
        "tile",
    )
    nanoseconds_per_pixel = 40
    fraction: float | None = Field(
        None, gt=0, lt=1, description="Fraction of the pixels that are kept."
    )
    area_of: ConvergenceRanges | None = Field(
        None,
        description="Instead of `fraction`: keep as many pixels of each sky and bin as "
        "`keep_convergence` would keep with these ranges.",
    )
    across_bins: Literal["shared", "independent"] = Field(
        "independent",
        description="`shared`: masks of the bins are nested, so that larger masks "
        "contain the smaller ones; `independent`: each bin has its own mask.",
    )
    fill: float = Field(0.0, description="Value of the removed pixels.")

    @model_validator(mode="after")
    def _one_area(self) -> RandomMask:
        if (self.fraction is None) == (self.area_of is None):
            raise ValueError("give either fraction or area_of")
        return self

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Set all but randomly drawn pixels to the fill value."""
        maps = np.full(sky.maps.shape, self.fill)
        n_pix = sky.maps[0].size
        order = rng.permutation(n_pix)
        for out, values in zip(maps, sky.maps, strict=True):
            if self.area_of is None:
                assert self.fraction is not None
                n_kept = max(1, round(self.fraction * n_pix))
            else:
                n_kept = int(self.area_of.contain(values).sum())
            kept = order[:n_kept]
            out.reshape(-1)[kept] = values.reshape(-1)[kept]
            if self.across_bins == "independent":
                rng.shuffle(order)
        return replace(sky, maps=maps)


class GaussianizePixels(Operation):
    """Makes the one-point distribution of each map Gaussian and preserves ranks.

    Does not commute with noise.
    """

    operation: Literal["gaussianize_pixels"] = "gaussianize_pixels"
    family = Family.STATISTICS
    domains = (
        "sphere",
        "tile",
    )
    nanoseconds_per_pixel = 220

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Map ranks to a Gaussian with the same mean and variance.

        Equal values remain equal.

        References
        ----------
        Neyrinck, Szapudi & Szalay 2009, ApJ 698, L90.
        """
        from scipy.special import ndtri

        maps = np.empty(sky.maps.shape)
        for out, values in zip(maps, sky.maps, strict=True):
            _, inverse, counts = np.unique(
                values, return_inverse=True, return_counts=True
            )
            quantiles = (np.cumsum(counts) - counts / 2) / values.size
            out[...] = ndtri(quantiles)[inverse.reshape(values.shape)]
        mean, sigma = (
            per_bin([f(values) for values in sky.maps], maps) for f in (np.mean, np.std)
        )
        return replace(sky, maps=mean + sigma * maps)
