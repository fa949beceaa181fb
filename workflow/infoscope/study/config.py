"""The config of a study: its keys, defaults and units.

Those of an operation stand beside what it does, in `operations`.

Nothing heavy is imported here: Snakemake reads the config in every job that it starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from infoscope.degradations.degrade import NoiseOrder
from infoscope.degradations.operation import REGISTRY, Operation, load
from infoscope.degradations.operations.bins import SelectBins, SumBins
from infoscope.degradations.operations.filters import (
    BandPass,
    BandStop,
    HighPass,
    LowPass,
)
from infoscope.degradations.operations.noise import ScaleNoise
from infoscope.degradations.operations.peaks import SelectPeaks, SelectVoids
from infoscope.degradations.operations.positions import ShufflePixels
from infoscope.degradations.operations.spectra import FlattenSpectrum, RandomizePhases
from infoscope.degradations.operations.values import (
    GaussianizePixels,
    KeepConvergence,
    RandomMask,
)
from infoscope.errors import InfoscopeError
from infoscope.models import Interval, Model, increasing
from infoscope.survey.presets import PRESETS

SPLITS = ("train", "validation", "test", "fiducial")
LARGEST_ALIGNMENT = 6.0  # |A_IA| and |η_IA|
# no two are the same where upper and lower case are, and log files may join two of them
NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
# those of `posterior`, which imports too much to be imported here
Metric = Literal[
    "sigma_s8",
    "sigma_omega_m",
    "sigma_sigma8",
    "area68",
    "area95",
    "fom",
    "information",
]
Expectation = Literal["wider", "narrower", "equivalent"]
# rules of which all jobs have ended when there are posteriors
CostlyRule = Literal[
    "simulate_skies",
    "degrade_maps",
    "collect_dataset",
    "train_estimator",
    "infer_posterior",
]


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError(f"must be a power of two, got {value}")
    return value


def _plain(path: str) -> str:
    if path.startswith("-") or any(character in path for character in "{}\n\0"):
        raise ValueError(
            f"{path!r}: Snakemake has another meaning for braces, line breaks and a "
            "leading '-' in the name of a file; rename it"
        )
    return path


# of the inputs of rules, which Snakemake reads as patterns
InputFile = Annotated[str, AfterValidator(_plain)]


class Prior(Model):
    """Uniform prior over the sampled parameters."""

    omega_m: Interval = Field((0.15, 0.45), description="Range of Ω_m.")
    sigma_8: Interval = Field((0.5, 1.2), description="Range of σ_8.")

    @field_validator("omega_m", "sigma_8")
    @classmethod
    def _range(cls, value: Interval) -> Interval:
        if value[0] <= 0:
            raise ValueError("must be positive")
        return increasing(value)


class Parameters(Model):
    """The two parameters that a study infers."""

    omega_m: float = Field(0.2915, gt=0, lt=1, description="Ω_m.")
    sigma_8: float = Field(0.7835, gt=0, description="σ_8.")


class CosmologyConfig(Model):
    """Flat ΛCDM: what is sampled, what is fixed and where the mocks are made."""

    prior: Prior = Field(Prior(), description="Prior of (Ω_m, σ_8).")
    fiducial: Parameters = Field(
        Parameters(), description="Cosmology of the mock observations."
    )
    h: float = Field(0.6736, gt=0.3, lt=1.5, description="H_0 / (100 km/s/Mpc).")
    omega_b: float = Field(0.0493, gt=0, lt=0.1, description="Ω_b.")
    n_s: float = Field(0.9649, gt=0, lt=2, description="Scalar spectral index.")

    @model_validator(mode="after")
    def _fiducial_inside(self) -> CosmologyConfig:
        for name in ("omega_m", "sigma_8"):
            low, high = getattr(self.prior, name)
            if not low < getattr(self.fiducial, name) < high:
                raise ValueError(f"fiducial.{name} lies outside prior.{name}")
        if self.omega_b >= self.prior.omega_m[0]:
            raise ValueError("omega_b must be below prior.omega_m")
        return self


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


class ShellSimulator(Model):
    """Base of the simulators that sum shells of matter."""

    nuisance: ClassVar[tuple[str, ...]] = ()
    shell_width_mpc: float = Field(
        100.0, ge=20, le=1000, description="Comoving thickness of a shell, in Mpc."
    )

    @property
    def memory_mb(self) -> float:
        """What a simulation needs beside maps."""
        return 0.0


class LognormalConfig(ShellSimulator):
    """Lognormal matter shells (GLASS), Born-summed."""

    name: Literal["lognormal"] = "lognormal"


class GaussianConfig(ShellSimulator):
    """Gaussian matter shells with the same spectra: the Fisher matrix is exact."""

    name: Literal["gaussian"] = "gaussian"


class NBodyConfig(ShellSimulator):
    """Particle-mesh simulation of a periodic box, seen as a light-cone, Born-summed.

    By default, matter power at the fiducial is within 5 % of HMcode-2020 up to
    k = 0.45 h/Mpc at z = 0 and 0.62 at z = 1 (docs/figures/nbody_power.png). That needs
    a mesh of twice as many cells along a side as particles: with as many, a quarter of
    the power is missing at half the particles' Nyquist frequency. Structures larger
    than the box are missing, and matter is uncorrelated where the box is seen in
    another view: in linear theory, a box of 512 Mpc/h takes 12 % of the convergence
    power of the farthest default bin at ℓ = 15, 3.5 % at ℓ = 25 and 2.5 % at ℓ = 55.
    All in all, the convergence power of the two farthest bins is within 6 % of CAMB's
    for 20 ≤ ℓ ≤ 256, and that of the nearest bin 10 to 20 % below beyond ℓ = 128.
    A job needs 40 bytes a cell of the mesh and 200 a particle, beside its maps.
    """

    name: Literal["nbody"] = "nbody"
    box_size_mpc_h: float = Field(
        512.0, gt=0, description="Side of the box, in comoving Mpc/h."
    )
    n_particles: int = Field(
        128, ge=8, multiple_of=2, description="Particles along a side of the box."
    )
    n_mesh: int = Field(
        256,
        ge=8,
        multiple_of=2,
        description="Cells of the force mesh along a side of the box.",
    )
    steps: int = Field(
        4,
        ge=1,
        description="Time steps from z = 9 to the farthest shell; from there on, each "
        "shell is a step.",
    )

    @property
    def memory_mb(self) -> float:
        """40 bytes a cell of the mesh and 200 a particle, measured on CPUs."""
        return 4e-5 * self.n_mesh**3 + 2e-4 * self.n_particles**3

    @model_validator(mode="after")
    def _mesh_holds_the_particles(self) -> NBodyConfig:
        if self.n_mesh < self.n_particles:
            raise ValueError(
                f"n_mesh must be at least n_particles = {self.n_particles}, "
                f"got {self.n_mesh}"
            )
        return self


class CosmoGridConfig(Model):
    """CosmoGridV1 Stage-III maps from disk: see docs/cosmogrid.md."""

    name: Literal["cosmogrid"]
    root: InputFile = Field(
        description="Folder with `CosmoGridV1_metainfo.h5` and `stage3_forecast`."
    )
    baryons: Literal["nobaryons", "baryonified"] = Field(
        "nobaryons", description="Maps of matter without or with baryonic feedback."
    )
    nuisance: ClassVar[tuple[str, ...]] = ("h", "omega_b", "n_s", "w_0")

    @property
    def shell_width_mpc(self) -> float:
        """Of the shells that the Fisher forecast sums: the maps come without."""
        return 100.0


Simulator = Annotated[
    LognormalConfig | GaussianConfig | NBodyConfig | CosmoGridConfig,
    Field(discriminator="name"),
]


def _own_first(value: Any, built_in: ValidatorFunctionWrapHandler) -> Operation:
    """Validate an operation of the user's own files, or one that is built in."""
    name = value.get("operation") if isinstance(value, Mapping) else None
    known = REGISTRY.get(name) if isinstance(name, str) else None
    if known is None:
        return built_in(value)
    return known.model.model_validate(value)


BuiltIn = Annotated[
    LowPass
    | HighPass
    | BandPass
    | BandStop
    | KeepConvergence
    | RandomMask
    | SelectPeaks
    | SelectVoids
    | ShufflePixels
    | SumBins
    | SelectBins
    | RandomizePhases
    | FlattenSpectrum
    | GaussianizePixels
    | ScaleNoise,
    Field(discriminator="operation"),
]
AnyOperation = Annotated[BuiltIn, WrapValidator(_own_first)]


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


class IntrinsicAlignment(Model):
    """Intrinsic alignment of galaxies: A_IA ((1 + z) / 1.62)^η_IA of the NLA model."""

    a_ia: FixedOrSampled = Field(
        0.0, description="Amplitude A_IA: a number, or a prior and a fiducial value."
    )
    eta_ia: FixedOrSampled = Field(
        0.0, description="Power η_IA of the redshift, likewise."
    )

    @field_validator("a_ia", "eta_ia")
    @classmethod
    def _moderate(cls, value: float | Sampled) -> float | Sampled:
        if max(map(abs, extremes(value))) > LARGEST_ALIGNMENT:
            raise ValueError(f"must lie within ± {LARGEST_ALIGNMENT}")
        return value

    @property
    def sampled(self) -> dict[str, Sampled]:
        """The parameters that are sampled."""
        both = {"a_ia": self.a_ia, "eta_ia": self.eta_ia}
        return {name: v for name, v in both.items() if isinstance(v, Sampled)}


def extremes(value: float | Sampled) -> Interval:
    """Smallest and largest value of a parameter that may be sampled."""
    return value.prior if isinstance(value, Sampled) else (value, value)


def fiducial_of(value: float | Sampled) -> float:
    """Value, in the mock observations, of a parameter that may be sampled."""
    return value.fiducial if isinstance(value, Sampled) else value


class Degradation(Model):
    """What is removed from every map before a network is trained on it."""

    operations: list[AnyOperation] = Field([], description="Operations, in order.")
    label: str | None = Field(None, description="Name in figures.")
    noise: NoiseOrder | None = Field(
        None, description="Overrides survey.noise for this degradation."
    )
    intrinsic_alignment: IntrinsicAlignment | None = Field(
        None, description="Overrides survey.intrinsic_alignment for this degradation."
    )


class TableNz(Model):
    """n(z) from text files."""

    kind: Literal["table"] = "table"
    files: list[InputFile] = Field(
        min_length=1,
        description="Tables with the columns z, n_1, n_2 … of the tomographic bins: "
        "one for all bins, or several, whose bins follow one another.",
    )

    @property
    def paths(self) -> list[Path]:
        """Files that are read."""
        return [Path(file) for file in self.files]


class FitsNz(Model):
    """n(z) from a FITS file with data of two-point functions."""

    kind: Literal["fits"] = "fits"
    file: InputFile = Field(description="FITS file.")
    extension: str = Field(
        "NZ_SOURCE", description="Extension with the columns Z_MID, BIN1, BIN2 …."
    )

    @property
    def paths(self) -> list[Path]:
        """Files that are read."""
        return [Path(self.file)]


class SmailNz(Model):
    """All n(z) ∝ z^α exp[−(z / z0)^β], cut into bins of photometric redshift."""

    kind: Literal["smail"] = "smail"
    z0: float = Field(gt=0, description="Redshift z0 of the cut-off.")
    alpha: float = Field(2, gt=0, description="Power α at low redshift.")
    beta: float = Field(gt=0, description="Steepness β of the cut-off.")
    sigma_z: float = Field(
        ge=0.01,
        le=0.5,
        description="Scatter of the photometric redshifts, in units of 1 + z.",
    )
    bias: float = Field(
        0.0, ge=-0.2, le=0.2, description="Their bias, in units of 1 + z."
    )
    n_bins: int | None = Field(
        None, ge=1, le=20, description="Number of bins with equal numbers of galaxies."
    )
    edges: list[float] | None = Field(
        None, min_length=2, description="Instead: photometric redshifts between bins."
    )
    paths: ClassVar[list[Path]] = []

    @model_validator(mode="after")
    def _bins(self) -> SmailNz:
        if (self.n_bins is None) == (self.edges is None):
            raise ValueError("give either n_bins or edges")
        edges = self.edges or []
        if any(low >= high for low, high in pairwise(edges)):
            raise ValueError(f"edges: must increase, got {edges}")
        return self


NzSource = Annotated[TableNz | FitsNz | SmailNz, Field(discriminator="kind")]
Positive = Annotated[float, Field(gt=0)]
# told apart before they are validated, so that a mistake is that of one of them
PerBin = Annotated[
    Annotated[Positive, Tag("number")]
    | Annotated[list[Positive], Field(min_length=1), Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list) else "number"),
]


class SurveyConfig(Model):
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
        "before", description="When shape noise is added: before or after operations."
    )
    intrinsic_alignment: IntrinsicAlignment = Field(
        IntrinsicAlignment(), description="Intrinsic alignment of galaxies."
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


class CNNConfig(Model):
    """Residual convolutional network on tiles."""

    kind: Literal["cnn"] = "cnn"
    stem: int = Field(
        4, ge=1, description="Side in pixels of the blocks that become features."
    )
    features: int = Field(128, ge=1, description="Features of such a block.")
    channels: int = Field(16, ge=1, description="Channels of the residual blocks.")
    blocks: int = Field(2, ge=1, description="Number of residual blocks.")
    steps: int = Field(4000, ge=1, description="Most gradient steps.")
    batch_size: int = Field(64, ge=1, description="Tiles in a gradient step.")
    learning_rate: float = Field(4e-3, gt=0, description="Peak of Adam's step.")


class DeepLSSConfig(Model):
    """Residual network with the sizes of DeepLSS, for a GPU."""

    kind: Literal["deeplss"] = "deeplss"
    channels: int = Field(128, ge=2, description="Filters of the residual blocks.")
    blocks: int = Field(10, ge=1, description="Number of residual blocks.")
    steps: int = Field(20000, ge=1, description="Most gradient steps.")
    batch_size: int = Field(32, ge=1, description="Tiles in a gradient step.")
    learning_rate: float = Field(5e-5, gt=0, description="Peak of Adam's step.")


class PowerSpectrumConfig(Model):
    """Perceptron on binned auto- and cross-spectra of the same tiles."""

    kind: Literal["power_spectrum"] = "power_spectrum"
    n_ell: int = Field(8, ge=1, description="Number of bins in |ℓ|.")
    hidden: int = Field(64, ge=1, description="Width of the two hidden layers.")
    steps: int = Field(3000, ge=1, description="Most gradient steps.")
    batch_size: int = Field(256, ge=1, description="Tiles in a gradient step.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak of Adam's step.")


Estimator = Annotated[
    CNNConfig | DeepLSSConfig | PowerSpectrumConfig, Field(discriminator="kind")
]


class TrainingConfig(Model):
    """What all trainings share."""

    seeds: int = Field(2, ge=1, description="Trainings of each estimator.")
    evaluate_every: int = Field(
        250, ge=1, description="Steps between two looks at the validation skies."
    )
    patience: int = Field(
        8, ge=1, description="Looks without progress before training stops."
    )


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
        "(`a_ia` and `eta_ia` if they are sampled; `h`, `omega_b`, `n_s` and `w_0` of "
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


class Against(Model):
    """The width that another one is compared with."""

    degradation: str = Field("reference", description="Name of a degradation.")
    estimator: str | None = Field(
        None, description="Name of an estimator; null is the one that is compared."
    )


class ComparisonConfig(Model):
    """What is expected of the ratio of two widths."""

    degradation: str = Field(description="Name of a degradation.")
    estimator: str = Field(description="Name of an estimator.")
    against: Against = Field(Against(), description="What it is compared with.")
    metric: Metric = Field("sigma_s8", description="Width that is compared.")
    expect: Expectation = Field(
        description="What the posterior is expected to be. (`narrower`: less of "
        "`sigma_…` and `area…`, more of `fom` and `information`.)"
    )
    by: float | None = Field(
        None,
        gt=1,
        description="Wider, or narrower, by more than this factor; null is any factor.",
    )
    within: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Equivalent within 1 + this and its inverse; null is "
        "posterior.equivalence.",
    )

    @property
    def compared(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Degradation and estimator of both widths."""
        other = self.against
        return (
            (self.degradation, self.estimator),
            (other.degradation, other.estimator or self.estimator),
        )

    @model_validator(mode="after")
    def _consistent(self) -> ComparisonConfig:
        if self.by is not None and self.expect == "equivalent":
            raise ValueError("by: is for wider and narrower; equivalent has `within`")
        if self.within is not None and self.expect != "equivalent":
            raise ValueError("within: is for equivalent; wider and narrower have `by`")
        if self.compared[0] == self.compared[1]:
            raise ValueError(
                "against: is the same width; name another degradation or estimator"
            )
        return self


class CostConfig(Model):
    """What is expected of the time that one rule takes."""

    rule: CostlyRule = Field(description="Name of the rule.")
    share_above: float = Field(
        gt=0,
        lt=1,
        description="Its jobs are expected to take more than this share of the "
        "seconds of all jobs that lead to posteriors.",
    )


class Claim(Model):
    """A statement that the study tests: by comparisons of widths, or by a cost."""

    claim: str = Field(min_length=1, description="The statement, one sentence.")
    source: str | None = Field(None, description="Where the statement is from.")
    comparisons: list[ComparisonConfig] = Field(
        [], description="All of them have to hold."
    )
    cost: CostConfig | None = Field(None, description="Instead of comparisons.")

    @model_validator(mode="after")
    def _tested(self) -> Claim:
        if bool(self.comparisons) == (self.cost is not None):
            raise ValueError("a claim has either comparisons or a cost")
        return self


def _default_estimators() -> dict[str, Estimator]:
    return {"cnn": CNNConfig(), "power_spectrum": PowerSpectrumConfig()}


class Study(Model):
    """One study: everything that decides its results."""

    study: str = Field(description="Name of the study: results/{study}.")
    seed: int = Field(1, ge=0, description="Seed of everything random.")
    cosmology: CosmologyConfig = Field(CosmologyConfig(), description="Cosmology.")
    grid: GridConfig = Field(GridConfig(), description="Simulated cosmologies.")
    simulator: Simulator = Field(LognormalConfig(), description="Simulator of skies.")
    survey: SurveyConfig = Field(SurveyConfig(), description="Survey.")
    operation_files: list[InputFile] = Field(
        [],
        description="Python files with operations of your own; they are imported.",
    )
    degradations: dict[str, Degradation] = Field(
        description="Degradations by name; `reference` must be among them."
    )
    estimators: dict[str, Estimator] = Field(
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
        if isinstance(self.simulator, CosmoGridConfig) and self.survey.nside > 512:
            raise ValueError("survey.nside: maps of CosmoGridV1 have nside 512 at most")
        side = self.survey.nside // self.survey.tile_nside
        for name, estimator in self.estimators.items():
            if isinstance(estimator, CNNConfig) and side % estimator.stem:
                raise ValueError(
                    f"estimators.{name}.stem: must divide the tile side {side}"
                )
            if isinstance(estimator, PowerSpectrumConfig) and (
                estimator.n_ell > side // 2
            ):
                raise ValueError(
                    f"estimators.{name}.n_ell: must be at most {side // 2}"
                )
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
        alignments = [
            self.survey.intrinsic_alignment,
            *(own.intrinsic_alignment for own in self.degradations.values()),
        ]
        sampled = {name for a in alignments if a is not None for name in a.sampled}
        return [*self.simulator.nuisance, *sorted(sampled)]

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
                known = ", ".join(f"'{name}'" for name in sorted(REGISTRY))
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
