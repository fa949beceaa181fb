"""Patches of the skies in a file, with the effects and the noise of a degradation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from infoscope.cosmology.nuisance import Nuisance
from infoscope.degradations.config import AnyOperation
from infoscope.degradations.operation import Operation
from infoscope.degradations.patches import Patches
from infoscope.effects.config import parse_effects
from infoscope.effects.effect import Effect
from infoscope.errors import InfoscopeError
from infoscope.files.hdf5 import read_nuisance
from infoscope.files.precision import Maps
from infoscope.seeds import seed_of
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Split

if TYPE_CHECKING:
    import h5py


@dataclass(frozen=True)
class SkyFile:
    """Skies of one split, and the spec of a degradation.

    Attributes
    ----------
    source
        Open output of `simulate_skies`.
    spec
        `sigma_e`, `n_gal_arcmin2`, `effects`, `side_deg`, `patches` (indices of the
        patches in the mask, or null for all), `omega_m` and `h` of the fiducial
        cosmology, `seed` and `split`.
    """

    source: h5py.Group
    spec: dict[str, Any]

    @cached_property
    def members(self) -> list[tuple[int, int]]:
        """Index of the cosmology and of the realisation of each sky."""
        cosmology, realisation = (
            self.source[name][:] for name in ("cosmology", "realisation")
        )
        return [(int(c), int(r)) for c, r in zip(cosmology, realisation, strict=True)]

    @cached_property
    def survey(self) -> Survey:
        """Survey before the operations."""
        _, n_bins, _, pixels, _ = self._kappa.shape
        return Survey(
            pixels=pixels,
            mean_z=self.source["mean_z"][:],
            # one number holds for all bins
            n_gal_arcmin2=np.broadcast_to(self.spec["n_gal_arcmin2"], n_bins),
            sigma_e=np.broadcast_to(self.spec["sigma_e"], n_bins),
            **{key: self.spec[key] for key in ("side_deg", "omega_m", "h")},
        )

    @cached_property
    def _kappa(self) -> Maps:
        return Maps.of(self.source, "kappa")

    @cached_property
    def _effects(self) -> list[Effect]:
        return parse_effects(self.spec["effects"])

    @cached_property
    def _drawn(self) -> list[list[Effect]]:
        """Effects with the parameters of each sky, the same for all degradations."""
        if self.spec["split"] == Split.FIDUCIAL:
            return [[e.fixed()] * len(self.members) for e in self._effects]
        return [
            [
                effect.drawn(self.generator(effect.key.replace("_", " "), sky))
                for sky in range(len(self.members))
            ]
            for effect in self._effects
        ]

    def generator(self, purpose: str, sky: int) -> np.random.Generator:
        """Create the random number generator of a sky for a purpose."""
        split, seed = self.spec["split"], self.spec["seed"]
        return np.random.default_rng(seed_of(seed, purpose, split, *self.members[sky]))

    def patches(self, sky: int) -> Patches:
        """Read the patches of a sky in the mask, and apply the effects.

        Raises
        ------
        InfoscopeError
            If a value is not finite.
        """
        selected = self.spec["patches"]
        kappa = self._kappa[sky].astype(np.float64)
        for of_sky in self._drawn:
            effect = of_sky[sky]
            if effect.n_terms and not (n_used := effect.n_used()):
                continue
            terms = np.empty((0, *kappa.shape))
            if effect.n_terms:
                # only the required terms are read
                terms = Maps.of(self.source, effect.data_set)[sky, :n_used]
            kappa = effect.apply(kappa, terms, self.survey.mean_z)
        if not np.isfinite(kappa).all():
            raise InfoscopeError(
                "has values that are not finite; delete the file and run again"
            )
        return Patches(kappa if selected is None else kappa[:, selected], self.survey)

    def nuisance(self) -> Nuisance:
        """Nuisance parameters of each sky, those of its effects last."""
        nuisance = read_nuisance(self.source)
        for effect, of_sky in zip(self._effects, self._drawn, strict=True):
            nuisance = nuisance.joined(_sampled(effect, of_sky))
        return nuisance


def parse_operations(spec: dict[str, Any]) -> list[Operation]:
    """Parse the operations in the spec of a job."""
    adapter: TypeAdapter[list[Operation]] = TypeAdapter(list[AnyOperation])
    return adapter.validate_python(spec["operations"])


def _sampled(effect: Effect, effect_of_sky: Sequence[Effect]) -> Nuisance:
    """Collect the values of the sampled parameters of an effect in each sky."""
    names = tuple(effect.sampled)
    values = [[drawn.values[name] for name in names] for drawn in effect_of_sky]
    fiducial = [value.fiducial for value in effect.sampled.values()]
    return Nuisance(
        names, np.reshape(values, (len(effect_of_sky), len(names))), np.array(fiducial)
    )
