"""The config of a study: its keys, defaults and units.

Keys of operations, estimators, simulators and effects are defined in their modules.

Modules that take long to import are avoided here, because every job reads the config.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from infoscope.cosmology.config import CosmologyConfig
from infoscope.degradations.config import AnyOperation, Degradation
from infoscope.degradations.operation import Operation, load
from infoscope.effects.config import SurveyEffects, effects_of
from infoscope.effects.effect import Effect
from infoscope.errors import InfoscopeError
from infoscope.estimators.config import AnyEstimator, TrainingConfig
from infoscope.estimators.estimator import Estimator
from infoscope.estimators.kinds.cnn import CNN
from infoscope.estimators.kinds.power_spectrum import PowerSpectrum
from infoscope.models import InputFile, Model
from infoscope.results.config import Claim
from infoscope.skies.config import AnySimulator
from infoscope.skies.simulators.lognormal import Lognormal
from infoscope.survey.config import SQUARE_DEGREES, NzSource, PatchConfig, TableNz
from infoscope.survey.presets import PRESETS
from infoscope.vocabulary import REFERENCE, NoiseOrder

# Lower case only, because some file systems ignore case. Short, because the names of
# log files contain two names.
NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError(f"must be a power of two, got {value}")
    return value


class SplitConfig(Model):
    """Cosmologies and skies of a split."""

    cosmologies: int = Field(128, ge=4, description="Number of cosmologies.")
    skies: int = Field(
        1, ge=1, description="Number of skies (realisations) per cosmology."
    )


class FiducialConfig(Model):
    """Skies of the mock observations."""

    skies: int = Field(
        8, ge=2, description="Number of skies at the fiducial cosmology."
    )


class GridConfig(Model):
    """Simulated cosmologies and skies; each split can be extended later."""

    train: SplitConfig = Field(
        SplitConfig(cosmologies=128, skies=4), description="Skies for gradient steps."
    )
    validation: SplitConfig = Field(
        SplitConfig(cosmologies=32, skies=1), description="Skies for early stopping."
    )
    test: SplitConfig = Field(
        SplitConfig(cosmologies=128, skies=1),
        description="Skies from which the density p(summary | θ) is estimated.",
    )
    fiducial: FiducialConfig = Field(
        FiducialConfig(), description="Skies of the mock observations."
    )
    shard_size: int = Field(
        64,
        ge=1,
        description="Number of cosmologies (in the fiducial split: skies) per file and "
        "job. If the size of a split is a multiple of it, no file is computed again "
        "when the split is extended.",
    )


Positive = Annotated[float, Field(gt=0)]
# distinguished before validation, so that an error message concerns only one of them
PerBin = Annotated[
    Annotated[Positive, Tag("number")]
    | Annotated[list[Positive], Field(min_length=1), Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list) else "number"),
]


class SurveyConfig(SurveyEffects):
    """The survey: maps, redshift bins, noise, mask and effects."""

    preset: Literal["des_y3_like", "kids_1000_like", "lsst_y1_like"] | None = Field(
        None,
        description="Survey that provides those of nz, n_gal_arcmin2 and sigma_e that "
        "are not given.",
    )

    nside: int = Field(
        64, ge=16, le=8192, description="HEALPix nside of the simulated skies."
    )
    patch: PatchConfig = Field(
        PatchConfig(), description="The flat patches into which skies are cut."
    )
    nz: NzSource = Field(
        TableNz(files=["resources/nz/des_like.txt"]),
        description="Redshift distributions of the tomographic bins; by default the "
        "table resources/nz/des_like.txt.",
    )
    n_gal_arcmin2: PerBin = Field(
        2.5,
        description="Number of galaxies per arcmin²: one number for all bins, or a "
        "list with one per bin.",
    )
    sigma_e: PerBin = Field(
        0.4,
        description="Shape noise per galaxy, the standard deviation of one component "
        "of the ellipticity: one number for all bins, or a list with one per bin.",
    )
    mask: str | None = Field(
        None,
        description="HEALPix FITS file with values above 0 in the footprint. Only "
        "patches in the footprint are used; null uses all patches.",
    )
    mask_fraction: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Minimum fraction of the pixels of a patch that are in the "
        "footprint.",
    )
    noise: NoiseOrder = Field(
        NoiseOrder.BEFORE,
        description="Whether shape noise is added before or after the operations, or "
        "not at all.",
    )
    base_operations: list[AnyOperation] = Field(
        [],
        description="Operations that are applied before those of each degradation, "
        "also in the reference.",
    )

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return PRESETS.get(str(value.get("preset")), {}) | dict(value)

    @field_validator("nside")
    @classmethod
    def _nside(cls, value: int) -> int:
        return _power_of_two(value)

    @model_validator(mode="after")
    def _resolved(self) -> SurveyConfig:
        sky = 60 * math.sqrt(SQUARE_DEGREES / 12)  # pixel at nside 1 in arcmin
        patch = self.patch
        if 2 * patch.pixel_arcmin < sky / self.nside:
            most = int(2 * 60 * patch.side_deg * self.nside / sky)
            nside = 2 ** math.ceil(math.log2(sky / (2 * patch.pixel_arcmin)))
            raise ValueError(
                f"patch.pixels: pixels of {patch.pixel_arcmin:.3g} arcmin are smaller "
                f"than half of those of the skies, {sky / self.nside:.3g} arcmin at "
                f"nside {self.nside}; choose at most {most}, or nside {nside}"
            )
        return self


class LearningCurvesConfig(Model):
    """Training runs with reduced budgets, which show whether more would help."""

    degradations: list[str] = Field(
        [],
        description="Degradations with learning curves; an empty list means none.",
    )
    fractions: list[Annotated[float, Field(ge=0.01, le=0.99)]] = Field(
        [0.25, 0.5],
        min_length=1,
        description="Fractions, in whole per cent, of the training cosmologies, of the "
        "skies per cosmology, and of the steps. Each training run reduces one of the "
        "three.",
    )


class AttributionConfig(Model):
    """Attribution of the estimates of the reference's networks to parts of tiles."""

    tiles: int = Field(
        256,
        ge=0,
        description="Maximum number of tiles of test skies, spread over the prior, "
        "whose estimates are attributed to scales and values (docs/attribution.md); 0 "
        "switches attribution off.",
    )


class PosteriorConfig(Model):
    """Settings of posteriors and their errors."""

    grid_size: int = Field(
        96, ge=24, le=1024, description="Number of grid points along each parameter."
    )
    bootstraps: int = Field(
        100,
        ge=2,
        description="Number of bootstrap resamples of skies, for the errors of widths.",
    )
    equivalence: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Tolerance x of equivalence: widths are equivalent if their ratio "
        "lies between 1 / (1 + x) and 1 + x, and if its error is small enough.",
    )
    condition_on: list[str] = Field(
        [],
        description="Nuisance parameters that are fixed to their fiducial values: "
        "sampled parameters of effects, or `h`, `omega_b`, `n_s` and `w_0` of "
        "CosmoGridV1. All others are marginalised over.",
    )


class StorageConfig(Model):
    """Intermediate results that are kept on disk (docs/storage.md)."""

    keep_skies: bool = Field(
        True,
        description="Keep skies. Otherwise each file is deleted once all degradations "
        "of the study have used it; a new degradation then simulates all skies and "
        "computes everything again.",
    )
    keep_datasets: bool = Field(
        True,
        description="Keep tiles. Otherwise those of a degradation are deleted once its "
        "estimators are trained; a new estimator or seed then trains all of them "
        "again.",
    )


class FiguresConfig(Model):
    """Contents of figures."""

    contours: list[str] = Field(
        [],
        description="Degradations whose posteriors are drawn as contours, in addition "
        "to the reference. By default up to eight, taken in turn from the families of "
        "figure `widths` (scales, values of the convergence and so on).",
    )


def _default_estimators() -> dict[str, Estimator]:
    return {"cnn": CNN(), "power_spectrum": PowerSpectrum()}


class Study(Model):
    """A study: all settings that decide its results."""

    study: str = Field(
        description="Name of the study, whose results are in results/{study}."
    )
    seed: int = Field(1, ge=0, description="Seed of all random numbers.")
    cosmology: CosmologyConfig = Field(
        CosmologyConfig(), description="Prior, fiducial values and fixed parameters."
    )
    grid: GridConfig = Field(
        GridConfig(), description="Numbers of simulated cosmologies and skies."
    )
    simulator: AnySimulator = Field(
        Lognormal(), description="Simulator of skies; by default `lognormal`."
    )
    survey: SurveyConfig = Field(
        SurveyConfig(), description="Maps, redshift bins, noise, mask and effects."
    )
    operation_files: list[InputFile] = Field(
        [],
        description="Python files with user-defined operations, which are imported.",
    )
    degradations: dict[str, Degradation] = Field(
        description="Degradations by name; one of them must be `reference`."
    )
    estimators: dict[str, AnyEstimator] = Field(
        default_factory=_default_estimators,
        description="Estimators by name; by default `cnn` and `power_spectrum`.",
    )
    training: TrainingConfig = Field(
        TrainingConfig(), description="Settings of all training runs."
    )
    learning_curves: LearningCurvesConfig = Field(
        LearningCurvesConfig(), description="Training runs with reduced budgets."
    )
    attribution: AttributionConfig = Field(
        AttributionConfig(),
        description="Attribution of the estimates of the reference's networks.",
    )
    posterior: PosteriorConfig = Field(
        PosteriorConfig(), description="Settings of posteriors and their errors."
    )
    claims: list[Claim] = Field([], description="Claims to test.")
    figures: FiguresConfig = Field(
        FiguresConfig(), description="Contents of figures; results do not depend on it."
    )
    storage: StorageConfig = Field(
        StorageConfig(),
        description="Intermediate results that are kept; results do not depend on it.",
    )

    @field_validator("study")
    @classmethod
    def _study_name(cls, value: str) -> str:
        return _checked_name(value)

    @field_validator("degradations", "estimators")
    @classmethod
    def _names(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not value:
            raise ValueError("must not be empty")
        for name in value:
            _checked_name(name)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        if "reference" not in self.degradations:
            raise ValueError(
                "degradations: `reference` is missing; "
                "add `reference: {operations: []}`"
            )
        for key, names in (
            ("learning_curves.degradations", self.learning_curves.degradations),
            ("figures.contours", self.figures.contours),
        ):
            for name in names:
                if name not in self.degradations:
                    raise ValueError(
                        f"{key}: {name!r} is not a degradation of the study; add it to "
                        "degradations"
                    )
        side = self.survey.patch.pixels
        for name, estimator in self.estimators.items():
            try:
                estimator.check(side)
            except ValueError as error:
                raise ValueError(f"estimators.{name}.{error}") from None
        return self

    @model_validator(mode="after")
    def _names_of_log_files_are_distinct(self) -> Study:
        pairs: dict[str, tuple[str, str]] = {}
        for pair in product(self.degradations, self.estimators):
            other = pairs.setdefault("_".join(pair), pair)
            if other != pair:
                raise ValueError(
                    f"degradations.{pair[0]} with estimators.{pair[1]} would have the "
                    f"same log files as {other[0]} with {other[1]}; rename one of them"
                )
        return self

    @property
    def nuisance(self) -> list[str]:
        """Nuisance parameters, which vary between skies in at least one degradation."""
        sampled = {
            name
            for degradation in self.degradations
            for effect in self.effects(degradation).values()
            for name in effect.sampled
        }
        return [*self.simulator.nuisance, *sorted(sampled)]

    def effects(self, degradation: str = REFERENCE) -> dict[str, Effect]:
        """Return the effects of a degradation, which override those of the survey."""
        return effects_of(self.survey, self.degradations[degradation])

    @model_validator(mode="after")
    def _conditions_are_on_nuisance_parameters(self) -> Study:
        for name in self.posterior.condition_on:
            if name not in self.nuisance:
                varied = ", ".join(self.nuisance) or "none"
                raise ValueError(
                    f"posterior.condition_on: {name!r} does not vary in this study; "
                    f"choose from its nuisance parameters: {varied}"
                )
        return self

    @model_validator(mode="after")
    def _claims_are_on_degradations_and_estimators(self) -> Study:
        for i, claim in enumerate(self.claims):
            for j, comparison in enumerate(claim.comparisons):
                for side, (degradation, estimator) in zip(
                    ("", "against."), comparison.compared, strict=True
                ):
                    place = f"claims.{i}.comparisons.{j}.{side}"
                    if degradation not in self.degradations:
                        raise ValueError(
                            f"{place}degradation: {degradation!r} is not a degradation "
                            "of the study; add it to degradations"
                        )
                    if estimator not in self.estimators:
                        raise ValueError(
                            f"{place}estimator: {estimator!r} is not an estimator of "
                            "the study; add it to estimators"
                        )
        return self


def _checked_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be the name of a folder; use at most 64 of the "
            "characters a-z, 0-9 and _"
        )
    return value


def parse_study(config: Mapping[str, Any]) -> Study:
    """Validate a config.

    Parameters
    ----------
    config
        Content of a YAML file.

    Returns
    -------
        The study.

    Raises
    ------
    InfoscopeError
        One line that names the first wrong key.
    """
    files = config.get("operation_files")
    # anything except a list is reported by the validation below
    for path in files if isinstance(files, list) else []:
        load(Path(str(path)))
    try:
        return Study.model_validate(dict(config))
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in _location(first, config))
        raise InfoscopeError(
            f"config: {path + ': ' if path else ''}{_message(first)}"
        ) from None


def _message(error: ErrorDetails) -> str:
    """Translate a message of pydantic to the terms of the config."""
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return "unknown key (config/README.md lists all keys)"
        case "missing":
            return "is missing"
        case "union_tag_invalid":
            key, names = context["discriminator"].strip("'"), context["expected_tags"]
            if key == "operation":
                names = ", ".join(f"'{name}'" for name in sorted(Operation.registry))
            return f"unknown {key} {context['tag']!r}; choose from {names}"
        case "union_tag_not_found":
            key = context["discriminator"].strip("'")
            return f"the key `{key}` is missing"
        case _:
            return error["msg"].removeprefix("Value error, ")


def _location(error: ErrorDetails, config: Mapping[str, Any]) -> list[str | int]:
    """Return the keys that lead to an error, without the tags of pydantic's unions."""
    keys: list[str | int] = []
    node: Any = config
    for part in error["loc"]:
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list) and isinstance(part, int):
            node = node[part]
        else:
            continue
        keys.append(part)
    if error["type"] == "missing":
        keys.append(error["loc"][-1])
    return keys
