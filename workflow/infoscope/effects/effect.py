"""Systematic effects: their base class and the registry of their keys.

An effect is a class in a module of `effects.kinds`. It defines its parameters, each of
which is a number or sampled from a prior, and how it changes the convergence. It
becomes a key of `survey` and of degradations, which override the survey.
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
    """A parameter that varies between skies, and is marginalised over."""

    prior: Interval = Field(description="Range of the uniform prior.")
    fiducial: float = Field(description="Value in the mock observations.")

    @model_validator(mode="after")
    def _fiducial_is_in_prior(self) -> Sampled:
        low, high = increasing(self.prior)
        if not low < self.fiducial < high:
            raise ValueError(
                f"fiducial {self.fiducial:g} is outside prior [{low:g}, {high:g}]"
            )
        return self


def _is_sampled(value: Any) -> str:
    return "sampled" if isinstance(value, Mapping | Sampled) else "fixed"


FixedOrSampled = Annotated[
    Annotated[float, Tag("fixed")] | Annotated[Sampled, Tag("sampled")],
    Discriminator(_is_sampled),
]


def extremes(value: float | Sampled) -> Interval:
    """Return the smallest and largest value of a parameter."""
    return value.prior if isinstance(value, Sampled) else (value, value)


def described(value: float | Sampled) -> str:
    """Return the value or the prior of a parameter in words.

    >>> described(0.5), described(Sampled(prior=(-1, 1), fiducial=0))
    ('0.5', 'from -1 to 1')
    """
    if isinstance(value, Sampled):
        return f"from {value.prior[0]:g} to {value.prior[1]:g}"
    return f"{value:g}"


class Effect(Model):
    """Base class of all systematic effects.

    All fields are parameters of the type `FixedOrSampled`. Their names differ from
    those of other effects, and their defaults switch the effect off.

    Attributes
    ----------
    key
        Name in the config.
    label
        Name on the first page of the report.
    n_terms
        Number of maps per bin that skies store for the effect. With these, its
        parameters can change without a new simulation.
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
        """Values of the parameters, for sampled ones those of the mock observations."""
        return {
            name: value.fiducial if isinstance(value, Sampled) else value
            for name, value in self.parameters.items()
        }

    @property
    def is_off(self) -> bool:
        """Whether all parameters have the values that switch the effect off."""
        return self == type(self)()

    def fixed(self, values: Mapping[str, float] | None = None) -> Self:
        """Return the effect with fixed parameters.

        Parameters
        ----------
        values
            Values of some parameters; all others are fixed to those of `self.values`.
        """
        return self.model_copy(update=self.values | dict(values or {}))

    def drawn(self, rng: np.random.Generator) -> Self:
        """Return the effect with values drawn from the priors of its parameters."""
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
        """Compute the weights of matter shells in the maps that skies store.

        Parameters
        ----------
        background
            Distances and growth of the cosmology.
        nz
            Redshift distributions of the bins.
        edges
            Comoving distances in Mpc of the edges of the shells.
        """
        raise NotImplementedError

    def n_used(self) -> int:
        """Count the stored terms that are needed with the present, fixed parameters.

        Zero means that the effect vanishes. Effects without stored terms do not need
        this method.
        """
        return self.n_terms

    def apply(
        self,
        kappa: Float[NDArray, "n_bins ..."],
        terms: Float[NDArray, "n_term n_bins ..."],
        mean_z: Float[NDArray, " n_bins"],
    ) -> Float[NDArray, "n_bins ..."]:
        """Add the effect with fixed parameters to the convergence of a sky.

        The result must be linear in `kappa` and `terms`, because the Fisher forecast
        applies it to weights of shells instead of maps.

        Parameters
        ----------
        kappa
            Convergence of each bin, which must not be changed in place.
        terms
            The first `n_used` stored terms, or fewer if the skies have fewer.
        mean_z
            Mean redshifts of the bins.
        """
        raise NotImplementedError

    def describe(self) -> str:
        """Return the parameters in words, for the first page of the report."""
        if self.is_off:
            return "none"
        return ", ".join(
            f"{name} {described(value)}" for name, value in self.parameters.items()
        )
