"""Operations that select or change the values of the convergence.

None of them is linear.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from infoscope.degradations.fill import Masking
from infoscope.degradations.operation import Operation
from infoscope.degradations.patches import Constants, Patches, per_bin
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
    by: Literal["sigma", "quantile", "kappa"] = Field(
        "sigma",
        description="Unit of the ranges: the standard deviation σ_κ of each bin, "
        "quantiles of κ in each bin, or κ itself. Noise is included.",
    )
    of: Literal["fiducial", "tile"] = Field(
        "fiducial",
        description="Where σ_κ and quantiles are measured: in patches of the fiducial "
        "cosmology, once for all patches, or in each patch itself: then only the kept "
        "values reveal the amplitude of the patch, not their number.",
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
        if self.by == "kappa" and self.of == "tile":
            raise ValueError("of: has no meaning for ranges of κ itself; remove it")
        return self

    def fitted(self, patches: Patches) -> Constants:
        """Measure the edges of the ranges in fiducial patches.

        Returns
        -------
            Edges in κ, without those that are unbounded.

        Raises
        ------
        InfoscopeError
            If no pixel of a bin is inside.
        """
        # all patches of a bin together
        flat = patches.kappa.reshape(len(patches.kappa), 1, -1)
        edges = {
            name: values[:, 0].tolist() for name, values in self._edges(flat).items()
        }
        empty = ~self.contain(patches, edges).any(axis=(1, 2, 3))
        if empty.any():
            raise InfoscopeError(
                f"ranges: {self.ranges} ({self.by}) contain no pixel of bin "
                f"{int(np.argmax(empty)) + 1} at the fiducial cosmology; widen them"
            )
        return edges

    def contain(
        self, patches: Patches, constants: Constants
    ) -> Bool[NDArray, "n_bins n_patch side side"]:
        """Return a mask of the pixels in any of the ranges.

        Parameters
        ----------
        patches
            Patches.
        constants
            What `fitted` returns; not needed if edges are those of each patch.
        """
        kappa = patches.kappa
        if self.of == "tile":
            flat = kappa.reshape(*kappa.shape[:2], -1)
            edges = {
                name: values[..., None, None]
                for name, values in self._edges(flat).items()
            }
        else:
            edges = {name: per_bin(values) for name, values in constants.items()}
        inside = np.zeros(kappa.shape, bool)
        for number in range(len(self.ranges)):
            low, high = f"low_{number}", f"high_{number}"
            in_range = np.ones(kappa.shape, bool)
            if low in self._bounds:
                in_range &= kappa >= edges[low]
            if high in self._bounds:
                in_range &= kappa < edges[high]
            inside |= in_range
        return inside

    @property
    def _bounds(self) -> dict[str, float]:
        """Edges of the ranges in their unit, without those that exclude no pixel.

        The lowest quantile 0 and the highest 1 exclude none.
        """
        return {
            f"{name}_{number}": edge
            for number, edges in enumerate(self.ranges)
            for name, edge, last in zip(("low", "high"), edges, (0, 1), strict=True)
            if edge is not None and not (self.by == "quantile" and edge == last)
        }

    def _edges(
        self, values: Float[NDArray, "n_bins n_set n_pix"]
    ) -> dict[str, Float[NDArray, "n_bins n_set"]]:
        """Compute the edges in κ of sets of pixels."""
        names, bounds = list(self._bounds), list(self._bounds.values())
        if self.by == "quantile":
            edges = np.quantile(values, bounds, axis=-1)
        else:
            sigma = values.std(axis=-1)
            unit = sigma if self.by == "sigma" else np.ones_like(sigma)
            edges = np.multiply.outer(bounds, unit)
        return dict(zip(names, edges, strict=True))


class KeepConvergence(ConvergenceRanges, Masking):
    """Keeps pixels whose convergence lies in a union of ranges, bin by bin.

    Does not commute with noise.
    """

    operation: Literal["keep_convergence"] = "keep_convergence"
    family = Family.VALUES
    nanoseconds_per_pixel = 10

    @property
    def needs_fit(self) -> bool:
        """Whether the edges are those of the fiducial cosmology."""
        return self.of == "fiducial"

    def fit(self, patches: Patches) -> Constants:
        """Measure the edges of the ranges."""
        return self.fitted(patches)

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Replace pixels outside the ranges."""
        return self.masked(patches, self.contain(patches, constants), rng)


class RandomMask(Masking):
    """Keeps random pixels: the control of `keep_convergence` with the same area.

    Does not commute with noise.
    """

    operation: Literal["random_mask"] = "random_mask"
    family = Family.CONTROLS
    nanoseconds_per_pixel = 15
    fraction: float | None = Field(
        None, gt=0, lt=1, description="Fraction of the pixels that are kept."
    )
    area_of: ConvergenceRanges | None = Field(
        None,
        description="Instead of `fraction`: keep as many pixels of each bin as "
        "`keep_convergence` keeps with these ranges on average at the fiducial "
        "cosmology. The number is the same in all patches, because it would be "
        "information.",
    )
    across_bins: Literal["shared", "independent"] = Field(
        "independent",
        description="`shared`: masks of the bins are nested, so that larger masks "
        "contain the smaller ones; `independent`: each bin has its own mask.",
    )

    @model_validator(mode="after")
    def _one_area(self) -> RandomMask:
        if (self.fraction is None) == (self.area_of is None):
            raise ValueError("give either fraction or area_of")
        return self

    @property
    def needs_fit(self) -> bool:
        """Whether the area is that of ranges."""
        return self.area_of is not None

    def fit(self, patches: Patches) -> Constants:
        """Measure the fraction of the pixels in the ranges."""
        assert self.area_of is not None
        edges = self.area_of.fitted(patches)
        inside = self.area_of.contain(patches, edges)
        return {"fraction": inside.mean(axis=(1, 2, 3)).tolist()}

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Replace all but randomly drawn pixels."""
        n_bins, n_patch, side, _ = patches.kappa.shape
        rows = n_bins if self.across_bins == "independent" else 1
        # in single precision, two of many pixels would often be equal
        draws = np.broadcast_to(
            rng.random((rows, n_patch, side**2)), (n_bins, n_patch, side**2)
        )
        keep = np.empty(patches.kappa.shape, bool)
        fractions = constants.get("fraction", [self.fraction] * n_bins)
        for out, values, fraction in zip(keep, draws, fractions, strict=True):
            n_kept = max(1, round(fraction * side**2))
            last = np.partition(values, n_kept - 1, axis=-1)[:, n_kept - 1]
            out[...] = (values <= last[:, None]).reshape(out.shape)
        return self.masked(patches, keep, rng)


class GaussianizePixels(Operation):
    """Makes the one-point distribution of each patch Gaussian and preserves ranks.

    Does not commute with noise.
    """

    operation: Literal["gaussianize_pixels"] = "gaussianize_pixels"
    family = Family.STATISTICS
    nanoseconds_per_pixel = 35

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Map the ranks in each patch and bin to a Gaussian with its mean and variance.

        Equal values remain equal.

        References
        ----------
        Neyrinck, Szapudi & Szalay 2009, ApJ 698, L90.
        """
        kappa = patches.kappa
        gaussian = np.array([_gaussian_ranks(of_bin) for of_bin in kappa])
        mean, sigma = (f(kappa, axis=(2, 3), keepdims=True) for f in (np.mean, np.std))
        return replace(patches, kappa=mean + sigma * gaussian)


def _gaussian_ranks(
    values: Float[NDArray, "n_patch side side"],
) -> Float[NDArray, "n_patch side side"]:
    """Replace values by the Gaussian quantiles of their ranks in each patch."""
    from scipy.special import ndtri

    flat = values.reshape(len(values), -1)
    n_pix = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ranked = np.take_along_axis(flat, order, axis=1)
    differs = np.ones(flat.shape, bool)
    np.not_equal(ranked[:, 1:], ranked[:, :-1], out=differs[:, 1:])
    # equal values have the mean of their ranks, a multiple of one half
    first = np.flatnonzero(differs)
    n_equal = np.diff(first, append=flat.size)
    quantiles = ndtri(np.arange(1, 2 * n_pix) / (2 * n_pix))
    gaussian = np.repeat(quantiles[2 * (first % n_pix) + n_equal - 1], n_equal)
    out = np.empty(flat.shape)
    np.put_along_axis(out, order, gaussian.reshape(flat.shape), axis=1)
    return out.reshape(values.shape)
