"""The config of a study: its keys, defaults and units.

Those of an operation stand beside what it does, in `operations`.

Nothing heavy is imported here: Snakemake reads the config in every job that it starts.
"""

from __future__ import annotations

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
from infoscope.survey.config import NzSource, TableNz
from infoscope.survey.presets import PRESETS
from infoscope.vocabulary import REFERENCE, NoiseOrder

# no two are the same where upper and lower case are, and log files may join two of them
NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError(f"must be a power of two, got {value}")
    return value


class SplitConfig(Model):
    """How many cosmologies a split has, and how many skies each."""

    cosmologies: int = Field(128, ge=4, description="Number of cosmologies.")
    skies: int = Field(1, ge=1, description="Skies (realisations) a cosmology.")


class FiducialConfig(Model):
    """Skies of the mock observations."""

    skies: int = Field(8, ge=2, description="Number of skies at the fiducial.")


class GridConfig(Model):
    """Simulated cosmologies, split by sky; each split can be extended later."""

    train: SplitConfig = Field(
        SplitConfig(cosmologies=128, skies=4), description="For gradient steps."
    )
    validation: SplitConfig = Field(
        SplitConfig(cosmologies=32, skies=1), description="For early stopping."
    )
    test: SplitConfig = Field(
        SplitConfig(cosmologies=128, skies=1),
        description="For the density p(summary | θ).",
    )
    fiducial: FiducialConfig = Field(
        FiducialConfig(), description="For the mock observations."
    )
    shard_size: int = Field(
        64,
        ge=1,
        description="Cosmologies (for the fiducial: skies) in one file, the unit of "
        "work. Numbers that are multiples of it can be extended without any loss.",
    )


Positive = Annotated[float, Field(gt=0)]
# told apart before they are validated, so that a mistake is that of one of them
PerBin = Annotated[
    Annotated[Positive, Tag("number")]
    | Annotated[list[Positive], Field(min_length=1), Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list) else "number"),
]


class SurveyConfig(SurveyEffects):
    """What the survey measures."""

    preset: Literal["des_y3_like", "kids_1000_like", "lsst_y1_like"] | None = Field(
        None,
        description="Survey from which nz, n_gal_arcmin2 and sigma_e are taken, where "
        "they are left out.",
    )

    nside: int = Field(64, ge=16, le=8192, description="HEALPix nside of the maps.")
    tile_nside: int = Field(
        2, ge=1, description="HEALPix nside whose superpixels are the tiles."
    )
    nz: NzSource = Field(
        TableNz(files=["resources/nz/des_like.txt"]),
        description="Redshift distribution of the tomographic bins: by default the "
        "table resources/nz/des_like.txt.",
    )
    n_gal_arcmin2: PerBin = Field(
        2.5,
        description="Galaxies an arcmin²: one number for each bin, or the same in all.",
    )
    sigma_e: PerBin = Field(
        0.4,
        description="Shape noise of a galaxy, the standard deviation of one component "
        "of its ellipticity: one number for each bin, or the same in all.",
    )
    mask: str | None = Field(
        None,
        description="HEALPix FITS file, of the nside of the maps, that is above 0 in "
        "the footprint: tiles that lie in it are used; null takes all.",
    )
    mask_fraction: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Smallest share of the pixels of a tile that lies in the mask.",
    )
    noise: NoiseOrder = Field(
        NoiseOrder.BEFORE,
        description="When shape noise is added: before or after operations.",
    )
    base_operations: list[AnyOperation] = Field(
        [],
        description="Operations applied first in every degradation, reference too.",
    )

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return PRESETS.get(str(value.get("preset")), {}) | dict(value)

    @field_validator("nside", "tile_nside")
    @classmethod
    def _nside(cls, value: int) -> int:
        return _power_of_two(value)

    @model_validator(mode="after")
    def _tiles(self) -> SurveyConfig:
        if self.tile_nside * 8 > self.nside:
            raise ValueError(
                f"tile_nside must be at most nside / 8 = {self.nside // 8}, "
                f"got {self.tile_nside}"
            )
        return self


class LearningCurvesConfig(Model):
    """Trainings with less, which show whether more would help."""

    degradations: list[str] = Field(
        [], description="Degradations to train with less; none: no learning curves."
    )
    fractions: list[Annotated[float, Field(ge=0.01, le=0.99)]] = Field(
        [0.25, 0.5],
        min_length=1,
        description="Shares of the training cosmologies, of the skies of each, and of "
        "the steps, to a per cent; one of the three is less at a time.",
    )


class AttributionConfig(Model):
    """Which parts of tiles the estimates of the reference's networks come from."""

    tiles: int = Field(
        256,
        ge=0,
        description="Most tiles of test skies, spread over the prior, whose estimates "
        "are attributed to scales and values (docs/attribution.md); 0: none.",
    )


class PosteriorConfig(Model):
    """How posteriors and their errors are computed."""

    grid_size: int = Field(
        96, ge=24, le=1024, description="Grid points along each parameter."
    )
    bootstraps: int = Field(
        100, ge=2, description="Bootstrap resamples of skies for the error."
    )
    equivalence: float = Field(
        0.05,
        gt=0,
        le=1,
        description="A ratio of widths below 1 + this, and above its "
        "inverse, counts as equivalent to 1 if its error is small enough to say so.",
    )
    condition_on: list[str] = Field(
        [],
        description="Nuisance parameters that are known to have their fiducial values "
        "(parameters of effects that are sampled; `h`, `omega_b`, `n_s` and `w_0` of "
        "CosmoGridV1); all others are marginalised over.",
    )


class StorageConfig(Model):
    """Which intermediate results stay on disk (docs/storage.md)."""

    keep_skies: bool = Field(
        True,
        description="Keep skies. If not, each file is deleted when all degradations of "
        "the study are made of it, and a new degradation simulates all skies, and "
        "computes everything, again.",
    )
    keep_datasets: bool = Field(
        True,
        description="Keep tiles. If not, those of a degradation are deleted when its "
        "estimators are trained, and a new estimator, or another seed, trains all of "
        "them again.",
    )


class FiguresConfig(Model):
    """What figures show, of what there is."""

    contours: list[str] = Field(
        [],
        description="Degradations whose posteriors are drawn as contours, beside the "
        "reference. None: up to eight, taken in turn from the families (scales, "
        "values of the convergence and so on, as figure `widths` has them).",
    )


def _default_estimators() -> dict[str, Estimator]:
    return {"cnn": CNN(), "power_spectrum": PowerSpectrum()}


class Study(Model):
    """One study: everything that decides its results."""

    study: str = Field(description="Name of the study: results/{study}.")
    seed: int = Field(1, ge=0, description="Seed of everything random.")
    cosmology: CosmologyConfig = Field(CosmologyConfig(), description="Cosmology.")
    grid: GridConfig = Field(GridConfig(), description="Simulated cosmologies.")
    simulator: AnySimulator = Field(Lognormal(), description="Simulator of skies.")
    survey: SurveyConfig = Field(SurveyConfig(), description="Survey.")
    operation_files: list[InputFile] = Field(
        [],
        description="Python files with operations of your own; they are imported.",
    )
    degradations: dict[str, Degradation] = Field(
        description="Degradations by name; `reference` must be among them."
    )
    estimators: dict[str, AnyEstimator] = Field(
        default_factory=_default_estimators, description="Estimators by name."
    )
    training: TrainingConfig = Field(TrainingConfig(), description="Training.")
    learning_curves: LearningCurvesConfig = Field(
        LearningCurvesConfig(), description="Learning curves."
    )
    attribution: AttributionConfig = Field(
        AttributionConfig(), description="Attribution, beside degradations."
    )
    posterior: PosteriorConfig = Field(PosteriorConfig(), description="Posteriors.")
    claims: list[Claim] = Field([], description="Statements to test.")
    figures: FiguresConfig = Field(
        FiguresConfig(), description="What figures show; changes no result."
    )
    storage: StorageConfig = Field(
        StorageConfig(), description="What stays on disk; changes no result."
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
                    raise ValueError(f"{key}: {name!r} is not a degradation")
        side = self.survey.nside // self.survey.tile_nside
        for name, estimator in self.estimators.items():
            try:
                estimator.check(side)
            except ValueError as error:
                raise ValueError(f"estimators.{name}.{error}") from None
        return self

    @model_validator(mode="after")
    def _pairs_of_names_are_distinct(self) -> Study:
        pairs: dict[str, tuple[str, str]] = {}
        for pair in product(self.degradations, self.estimators):
            other = pairs.setdefault("_".join(pair), pair)
            if other != pair:
                raise ValueError(
                    f"degradations.{pair[0]} with estimators.{pair[1]} would have the "
                    f"log files of {other[0]} with {other[1]}; rename one of them"
                )
        return self

    @property
    def nuisance(self) -> list[str]:
        """Parameters that vary from sky to sky, in some degradation, besides θ."""
        sampled = {
            name
            for degradation in self.degradations
            for effect in self.effects(degradation).values()
            for name in effect.sampled
        }
        return [*self.simulator.nuisance, *sorted(sampled)]

    def effects(self, degradation: str = REFERENCE) -> dict[str, Effect]:
        """Effects of a degradation, those of the survey unless it has its own."""
        return effects_of(self.survey, self.degradations[degradation])

    @model_validator(mode="after")
    def _conditions_are_on_what_varies(self) -> Study:
        for name in self.posterior.condition_on:
            if name not in self.nuisance:
                varied = ", ".join(self.nuisance) or "none"
                raise ValueError(
                    f"posterior.condition_on: {name!r} does not vary in this study "
                    f"(nuisance parameters that do: {varied})"
                )
        return self

    @model_validator(mode="after")
    def _claims_name_what_there_is(self) -> Study:
        for i, claim in enumerate(self.claims):
            for j, comparison in enumerate(claim.comparisons):
                for side, (degradation, estimator) in zip(
                    ("", "against."), comparison.compared, strict=True
                ):
                    place = f"claims.{i}.comparisons.{j}.{side}"
                    if degradation not in self.degradations:
                        raise ValueError(
                            f"{place}degradation: {degradation!r} is not a degradation"
                        )
                    if estimator not in self.estimators:
                        raise ValueError(
                            f"{place}estimator: {estimator!r} is not an estimator"
                        )
        return self


def _checked_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a name: use at most 64 of a-z, 0-9 and _ (it becomes a "
            "folder)"
        )
    return value


def parse_study(config: Mapping[str, Any]) -> Study:
    """Validate a config.

    Parameters
    ----------
    config
        The mapping that was read from YAML.

    Returns
    -------
        The study.

    Raises
    ------
    InfoscopeError
        One line that names the first key that is wrong.
    """
    files = config.get("operation_files")
    # anything else than a list of names is refused below
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
    """Say in the words of a config what pydantic says in those of Python."""
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return "unknown key (config/README.md lists all keys)"
        case "missing":
            return "is missing"
        case "union_tag_invalid":
            key, known = context["discriminator"].strip("'"), context["expected_tags"]
            if key == "operation":
                known = ", ".join(f"'{name}'" for name in sorted(Operation.registry))
            return f"unknown {key} {context['tag']!r}; choose from {known}"
        case "union_tag_not_found":
            key = context["discriminator"].strip("'")
            return f"the key `{key}` is missing"
        case _:
            return error["msg"].removeprefix("Value error, ")


def _location(error: ErrorDetails, config: Mapping[str, Any]) -> list[str | int]:
    """Keys that lead to the mistake, without the tags that pydantic adds for unions."""
    kept: list[str | int] = []
    node: Any = config
    for part in error["loc"]:
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list) and isinstance(part, int):
            node = node[part]
        else:
            continue
        kept.append(part)
    if error["type"] == "missing":
        kept.append(error["loc"][-1])
    return kept
