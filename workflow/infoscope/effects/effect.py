"""Systematic effects: what they are, and the list of them.

An effect is a class in a module of `effects.kinds`: its parameters, each a number or
sampled from a prior, and what it does to the convergence. It becomes a key of `survey`
and of degradations, which override the survey.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Discriminator, Field, Tag, model_validator

from infoscope.models import Interval, Model, increasing

if TYPE_CHECKING:
    from typing import Self

    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray

    from infoscope.cosmology.matter import Background
    from infoscope.survey.survey import RedshiftDistribution

EFFECTS: dict[str, type[Effect]] = {}


class Sampled(Model):
    """A parameter that varies from sky to sky, and is marginalised over."""

    prior: Interval = Field(description="Range of the uniform prior.")
    fiducial: float = Field(description="Value in the mock observations.")

    @model_validator(mode="after")
    def _inside(self) -> Sampled:
        low, high = increasing(self.prior)
        if not low < self.fiducial < high:
            raise ValueError("fiducial lies outside prior")
        return self


def _is_sampled(value: Any) -> str:
    return "sampled" if isinstance(value, Mapping | Sampled) else "fixed"


FixedOrSampled = Annotated[
    Annotated[float, Tag("fixed")] | Annotated[Sampled, Tag("sampled")],
    Discriminator(_is_sampled),
]


def extremes(value: float | Sampled) -> Interval:
    """Smallest and largest value of a parameter that may be sampled."""
    return value.prior if isinstance(value, Sampled) else (value, value)


def described(value: float | Sampled) -> str:
    """Describe the value or the prior of a parameter.

    >>> described(0.5), described(Sampled(prior=(-1, 1), fiducial=0))
    ('0.5', 'from -1 to 1')
    """
    if isinstance(value, Sampled):
        return f"from {value.prior[0]:g} to {value.prior[1]:g}"
    return f"{value:g}"


class Effect(Model):
    """Base of the systematic effects.

    All fields are parameters of the type `FixedOrSampled`, whose names no other effect
    has and whose defaults switch the effect off.

    Attributes
    ----------
    key
        Name in the config.
    label
        Name on the first page of the report.
    n_terms
        Maps per bin that skies store for the effect, so that its parameters can change
        without simulating again.
    data_set
        Name of these maps in files of skies.
    """

    key: ClassVar[str]
    label: ClassVar[str]
    n_terms: ClassVar[int] = 0
    data_set: ClassVar[str] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        """Register the effect."""
        super().__pydantic_init_subclass__(**keywords)
        for other in EFFECTS.values():
            for name in set(cls.model_fields) & set(other.model_fields):
                if other.key != cls.key:
                    raise ValueError(
                        f"{cls.__name__}: the effect {other.key} also has a "
                        f"parameter {name}"
                    )
        EFFECTS[cls.key] = cls

    @property
    def parameters(self) -> dict[str, float | Sampled]:
        """All parameters by name."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    @property
    def sampled(self) -> dict[str, Sampled]:
        """The parameters that are sampled."""
        return {
            name: value
            for name, value in self.parameters.items()
            if isinstance(value, Sampled)
        }

    @property
    def values(self) -> dict[str, float]:
        """Values of the parameters; those of the mock observations if sampled."""
        return {
            name: value.fiducial if isinstance(value, Sampled) else value
            for name, value in self.parameters.items()
        }

    @property
    def is_off(self) -> bool:
        """Whether all parameters have the values that switch the effect off."""
        return self == type(self)()

    def fixed(self, values: Mapping[str, float] | None = None) -> Self:
        """Fix all parameters, at their values if they are not given."""
        return self.model_copy(update=self.values | dict(values or {}))

    def drawn(self, rng: np.random.Generator) -> Self:
        """Draw the sampled parameters from their priors, and fix them."""
        ranges = [extremes(value) for value in self.parameters.values()]
        low, high = zip(*ranges, strict=True)
        values = map(float, rng.uniform(low, high))
        return self.fixed(dict(zip(self.parameters, values, strict=True)))

    def weights(
        self,
        background: Background,
        nz: RedshiftDistribution,
        edges: Float[NDArray, " n_edge"],
    ) -> Float[NDArray, "n_term n_bins n_shell"]:
        """Weights of shells of matter in the maps that skies store for the effect."""
        raise NotImplementedError

    def n_used(self) -> int:
        """Count the stored terms that fixed parameters need; 0 if there is no effect.

        Effects without stored terms need no such method.
        """
        return self.n_terms

    def apply(
        self,
        kappa: Float[NDArray, "n_bins ..."],
        terms: Float[NDArray, "n_term n_bins ..."],
        mean_z: Float[NDArray, " n_bins"],
    ) -> Float[NDArray, "n_bins ..."]:
        """Add the effect to the convergence of a sky, its parameters being fixed.

        It must be linear in `kappa` and `terms`: the Fisher forecast applies it to
        weights of shells instead of maps.

        Parameters
        ----------
        kappa
            Convergence of each bin; it is not changed in place.
        terms
            The first `n_used` terms, or fewer if the skies have fewer.
        mean_z
            Mean redshifts of the bins.
        """
        raise NotImplementedError

    def describe(self) -> str:
        """Describe the parameters for the first page of the report."""
        if self.is_off:
            return "none"
        return ", ".join(
            f"{name} {described(value)}" for name, value in self.parameters.items()
        )
