"""Costs of jobs: seconds, memory and bytes, as functions of the study.

Costs scale with the work: transforms of maps, passes over their pixels, steps of
particles and of a network, posteriors on a grid. The rates were measured on one core of
an AMD EPYC; `benchmarks/costs.py` compares costs with measured times. Nothing was
measured on a GPU: its seconds follow from assumptions, see `GPU_FLOPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

from infoscope.files.precision import (
    ALIGNMENT,
    CONVERGENCE,
    NOISELESS_TILES,
    NOISY_TILES,
)
from infoscope.maps.patches import band_limit
from infoscope.study import specs
from infoscope.study.checks import depth_mpc, survey_of
from infoscope.study.config import Study
from infoscope.survey.survey import RedshiftDistribution, Survey

FLOAT = 4  # bytes of a number in memory
MB = 1e6
# Copied from `batches` and `training`, which import too much to be imported here.
POOL_BYTES, START_BATCH = 2**29, 512
SUMMARISED = ("validation", "test", "fiducial")

# Requested / expected resources: processors and file systems differ, and posteriors
# that have to be corrected take several times as long.
TIME_FACTOR, MEMORY_FACTOR = 3.0, 1.3
SHORTEST_MINUTES = 10
# On a cluster, a job contains up to three processes of Snakemake beside its own.
SNAKEMAKE_MB = 400

# ASSUMED, not measured: operations per second that training sustains on a GPU (half of
# the single-precision peak of an A100), bytes of inputs per second that reach the GPU,
# and seconds for compilation.
GPU_FLOPS, GPU_BYTES, GPU_START = 1e13, 1e9, 60.0
ON_GPU = ("train_estimator", "train_reduced")

# Nanoseconds per byte of the inputs of a training step, which are gathered, rotated and
# copied (benchmarks/training_step.py).
INPUT_NS = 4.0
# Points along the paths of integrated gradients, and nanoseconds for each byte of a
# tile whose parts are summed.
NODES, PART_NS = 32, 120.0


@dataclass(frozen=True)
class Cost:
    """Resources that a job needs.

    Attributes
    ----------
    seconds
        Seconds on one core, or on one GPU.
    memory_mb
        Peak memory in 10⁶ bytes.
    size
        Bytes of its output files.
    files
        Number of its output files.
    """

    seconds: float
    memory_mb: float
    size: float = 0.0
    files: int = 1

    @property
    def requested_minutes(self) -> int:
        """Time to request for the first attempt."""
        return max(SHORTEST_MINUTES, ceil(TIME_FACTOR * self.seconds / 60))

    @property
    def requested_mb(self) -> int:
        """Memory to request for the first attempt."""
        return SNAKEMAKE_MB + 100 * ceil(MEMORY_FACTOR * self.memory_mb / 100)


# A job with small files, which spends most of its time on importing libraries.
DEFAULT = Cost(5, 300)


def transform_seconds(nside: int) -> float:
    """One spherical transform up to ℓ = 3 nside by ducc0 (benchmarks/operations.py)."""
    return 1.35e-7 * nside**2 + 8.5e-10 * nside**3


def cut_seconds(nside: int, lmax: int, n_points: int) -> float:
    """Cut one map into patches with `n_points` pixels (benchmarks/cutting.py)."""
    legendre = 7e-11 * (nside + lmax) * lmax**2
    return 1.2e-7 * nside**2 + legendre + 5e-8 * n_points


@dataclass(frozen=True)
class _Training:
    """Work of a training run: steps, operations, bytes of inputs, and spectra."""

    steps: int
    flop: float
    input_bytes: float
    spectra_seconds: float


@dataclass(frozen=True)
class Costs:
    """Costs of the jobs of a study.

    A rule whose jobs cost more than `DEFAULT` has a method with its name, which takes
    the wildcards of a job.

    Attributes
    ----------
    study
        The study.
    survey
        Its survey, with the redshift bins of the skies.
    n_shells
        Number of shells of a simulated sky.
    n_tile
        Number of tiles per sky that are used.
    """

    study: Study
    survey: Survey
    n_shells: int
    n_tile: int

    @classmethod
    def of(
        cls, study: Study, nz: RedshiftDistribution, tiles: list[int] | None = None
    ) -> Costs:
        """Create the costs of a study; `tiles` are those that a mask selects."""
        n_shells = round(depth_mpc(study, nz) / study.simulator.shell_width)
        n_tile = study.survey.patch.number if tiles is None else len(tiles)
        return cls(study, survey_of(study, nz), max(2, n_shells), n_tile)

    def job(self, rule: str, wildcards: Mapping[str, str]) -> Cost:
        """Cost of a job: `DEFAULT` if there is no method for its rule."""
        method: Callable[..., Cost] | None = getattr(self, rule, None)
        return DEFAULT if method is None else method(**wildcards)

    def on_gpu(self, rule: str, wildcards: Mapping[str, str]) -> Cost:
        """Cost of a training run on a GPU."""
        asked = {name: value for name, value in wildcards.items() if name != "seed"}
        work = self._training(**asked)
        steps = max(work.flop / GPU_FLOPS, work.input_bytes / GPU_BYTES)
        seconds = GPU_START + work.spectra_seconds + steps
        return replace(self.job(rule, wildcards), seconds=seconds)

    @property
    def _pixels(self) -> int:
        """Number of pixels of the patches of a sky."""
        return self.study.survey.patch.number * self.survey.pixels**2

    @property
    def _values(self) -> int:
        """Number of pixels of the patches of all bins."""
        return self.survey.n_bins * self._pixels

    @property
    def _sky_mb(self) -> float:
        """Memory of the patches of all bins in double precision."""
        return 8 * self._values / MB

    @property
    def _full_sky(self) -> int:
        """Number of pixels of the full-sky maps of all bins."""
        return int(self.survey.n_bins) * 12 * self.study.survey.nside**2

    def _skies_each(self, split: str) -> int:
        """Skies per cosmology; each fiducial sky counts as a cosmology."""
        return 1 if split == "fiducial" else int(getattr(self.study.grid, split).skies)

    def _skies(self, split: str) -> int:
        _, cosmologies = specs.shards(self.study, split)[-1]
        return cosmologies * self._skies_each(split)

    def _tiles(self, split: str) -> int:
        return self._skies(split) * self.n_tile

    # the survey

    def tabulate_matter(self) -> Cost:
        """Run CAMB at the nodes of the table."""
        return Cost(9, 200, 1e6)

    def forecast_fisher(self) -> Cost:
        """Run CAMB around the fiducial cosmology, for each set of effects."""
        degradations = specs.forecast(self.study)
        effects = {str(self.study.effects(name)) for name in degradations}
        n_column = 3 * self.survey.n_bins**2
        pixels, lmax = self.survey.pixels, 2 * self.study.survey.nside
        camb = 4 + 5e-3 * lmax + 5e-10 * n_column * lmax * pixels**2
        seconds = 2 + len(effects) * camb + 2 * len(degradations)
        return Cost(seconds, 200 + 16 * n_column * pixels**2 / MB)

    # skies

    @cached_property
    def _n_terms(self) -> int:
        """Number of terms of effects in the files of skies."""
        n_terms = sum(effect.n_terms for effect in specs.used_effects(self.study))
        return self.study.simulator.terms_on_disk(n_terms)

    def _sky_bytes(self, split: str) -> int:
        """Bytes of a sky: patches, and full-sky maps of the fiducial."""
        terms = self._n_terms * ALIGNMENT.itemsize
        full_sky = CONVERGENCE.itemsize * self._full_sky if split == "fiducial" else 0
        return self._values * (CONVERGENCE.itemsize + terms) + full_sky

    def simulate_skies(self, split: str, shard: str) -> Cost:
        """Compute spectra of cosmologies, and draw and cut their skies."""
        start, stop = specs.shards(self.study, split)[int(shard)]
        n_sky = (stop - start) * self._skies_each(split)
        n_cosmology = 1 if split == "fiducial" else stop - start
        simulator = self.study.simulator
        of_cosmology, of_sky = simulator.seconds(
            self.study.survey.nside, self.n_shells, self.study.cosmology.h
        )
        nside, patch = self.study.survey.nside, self.study.survey.patch
        lmax = band_limit(nside, patch.side_deg, patch.pixels)
        of_map = cut_seconds(nside, lmax, self._pixels)
        of_sky += self.survey.n_bins * (1 + self._n_terms) * of_map
        seconds = 2 + n_cosmology * of_cosmology + n_sky * of_sky
        size = n_sky * self._sky_bytes(split)
        # the directions of pixels have two numbers in double precision
        memory_mb = simulator.memory_mb + (40 * self._full_sky + 32 * self._pixels) / MB
        return Cost(seconds + 5e-9 * size, memory_mb + self._sky_mb, size)

    def validate_skies(self) -> Cost:
        """Measure the fiducial skies."""
        nside, n_bins = self.study.survey.nside, self.survey.n_bins
        of_sky = 2 * n_bins * transform_seconds(nside) + 1e-7 * self._full_sky
        seconds = 6 + self._skies("fiducial") * of_sky
        return Cost(seconds, 300 + 40 * self._full_sky / MB, files=4)

    # data sets

    @cached_property
    def _degraded(self) -> dict[str, tuple[float, int]]:
        """Seconds of the operations of each degradation on a sky, and bins left."""
        return {name: self._operations(name) for name in self.study.degradations}

    def _operations(self, degradation: str) -> tuple[float, int]:
        survey, seconds = self.survey, 0.0
        pixels = self.n_tile * survey.pixels**2
        for parameters in specs.operations(self.study, degradation):
            rate = parameters.nanoseconds_per_pixel
            seconds += 1e-9 * rate * survey.n_bins * pixels
            survey = parameters.check(survey)
        return seconds, survey.n_bins

    def _tile_bytes(self, degradation: str) -> int:
        """Bytes of a tile in memory."""
        side = self.survey.pixels
        _, n_bins = self._degraded[degradation]
        return side**2 * n_bins * FLOAT

    def _stored_bytes(self, degradation: str) -> int:
        """Bytes of a tile in a data set."""
        noise = self.study.degradations[degradation].noise or self.study.survey.noise
        dtype = NOISELESS_TILES if noise == "none" else NOISY_TILES
        return self._tile_bytes(degradation) * dtype.itemsize // FLOAT

    def degrade_maps(self, degradation: str, split: str, shard: str) -> Cost:
        """Apply operations to skies, one at a time."""
        start, stop = specs.shards(self.study, split)[int(shard)]
        n_sky = (stop - start) * self._skies_each(split)
        operations, _ = self._degraded[degradation]
        of_sky = operations + 25e-9 * self._values
        size = n_sky * self.n_tile * self._stored_bytes(degradation)
        seconds = 0.6 + n_sky * of_sky + 1e-9 * size
        return Cost(seconds, 100 + 8.5 * self._sky_mb, size)

    def fit_constants(self, degradation: str) -> Cost:
        """Apply operations to two skies."""
        operations, _ = self._degraded[degradation]
        seconds = 1 + 4 * (operations + 25e-9 * self._values)
        return Cost(seconds, 100 + 20 * self._sky_mb)

    @cached_property
    def longest_degrading(self) -> Cost:
        """Cost of the longest job of `degrade_maps`.

        These jobs are submitted as arrays, whose tasks share one time limit.
        """
        of_all = (
            self.degrade_maps(degradation, split, shard)
            for degradation in self.study.degradations
            for split, shard in specs.all_shards(self.study)
        )
        return max(of_all, key=lambda cost: cost.seconds)

    def collect_dataset(self, degradation: str) -> Cost:
        """Create virtual data sets over the shards."""
        return Cost(0.5 + 0.003 * len(specs.all_shards(self.study)), 120, files=2)

    # estimators

    def train_estimator(
        self, degradation: str, estimator: str, seed: str, budget: str = ""
    ) -> Cost:
        """Run gradient steps, evaluate validation skies, summarise held-out skies."""
        config = self.study.estimators[estimator]
        work = self._training(degradation, estimator, budget)
        seconds = 6 + 4e-4 * work.steps + work.spectra_seconds
        seconds += (
            work.flop / config.flop_per_second + 1e-9 * INPUT_NS * work.input_bytes
        )
        memory_mb = 550 + self._training_bytes(degradation, estimator) / MB
        size = 2 * FLOAT * sum(map(self._tiles, SUMMARISED))
        return Cost(seconds, memory_mb, size, files=3)

    train_reduced = train_estimator

    def _training_bytes(self, degradation: str, estimator: str) -> float:
        """Memory of a training run beside that of its libraries."""
        config, tile = self.study.estimators[estimator], self._tile_bytes(degradation)
        # a pool of what does not fit into memory is read ahead
        pools = [
            min(tile * self._tiles(split), POOL_BYTES)
            for split in ("train", "train", "validation", "test")
        ]
        if not config.sees_tiles:
            return sum(pools)
        side = self.survey.pixels
        largest, every = config.activations(side)
        start = START_BATCH * (4 * tile + 2 * FLOAT * largest)
        steps = config.batch_size * (8 * tile + 3 * FLOAT * every)
        return max(pools[0] + start, sum(pools) + steps)

    def _training(
        self, degradation: str, estimator: str, budget: str = ""
    ) -> _Training:
        spec = specs.train(self.study, degradation, estimator, 0, budget)
        config, steps = self.study.estimators[estimator], spec["estimator"]["steps"]
        side = self.survey.pixels
        _, n_bins = self._degraded[degradation]
        held_out = sum(map(self._tiles, SUMMARISED))
        evaluations = ceil(steps / self.study.training.evaluate_every)
        # summaries are means over the orientations of a tile
        seen = (
            evaluations * self._tiles("validation")
            + (8 if config.sees_tiles else 1) * held_out
        )
        flop = steps * config.flop_of_step(side, n_bins)
        flop += seen * config.flop_of_prediction(side, n_bins)
        if config.sees_tiles:
            passed = steps * config.batch_size + seen
            return _Training(steps, flop, passed * self._tile_bytes(degradation), 0.0)
        n_sky = spec["skies"]["cosmologies"] * spec["skies"]["skies"]
        tiles = n_sky * self.n_tile + self._tiles("validation") + held_out
        rate = config.input_nanoseconds(n_bins)
        return _Training(steps, flop, 0.0, 1e-9 * rate * tiles * side**2)

    # posteriors

    def infer_posterior(
        self, degradation: str, estimator: str, budget: str = ""
    ) -> Cost:
        """Evaluate posteriors of mocks and test tiles, and bootstraps."""
        posterior, seeds = self.study.posterior, self.study.training.seeds
        inferences = seeds + (seeds > 1)
        fine, coarse = posterior.grid_size**2, min(48, posterior.grid_size) ** 2
        test, mocks = self._tiles("test"), self._tiles("fiducial")
        thinned = self._skies("test") * min(4, self.n_tile)
        cells = (test + mocks) * fine
        cells += posterior.bootstraps * (mocks + thinned) * coarse
        fitted = (8 + posterior.bootstraps) * test
        seconds = 1 + inferences * (1.2e-8 * cells + 2e-6 * fitted)
        size = 4e5 + inferences * 56 * (mocks + posterior.bootstraps)
        return Cost(seconds, 300, size)

    infer_reduced = infer_posterior

    # attribution

    def attribute_estimates(self, estimator: str) -> Cost:
        """Compute gradients of tiles along paths, for each training run."""
        config = self.study.estimators[estimator]
        side = self.survey.pixels
        tile, n_bins = self._tile_bytes("reference"), self._degraded["reference"][1]
        seeds = self.study.training.seeds
        tiles = min(self.study.attribution.tiles, self._tiles("test"))
        # gradients with respect to inputs cost as much as those of a training step
        flop = config.flop_of_step(side, n_bins) / config.batch_size
        of_tile = NODES * (flop / config.flop_per_second + 1e-9 * INPUT_NS * tile)
        seconds = 10 + seeds * (4 + tiles * (of_tile + 1e-9 * PART_NS * tile))
        _, every = config.activations(side)
        batch = config.batch_size * (30 * tile + 3 * FLOAT * every)
        memory_mb = 600 + (2 * tiles * tile + batch) / MB
        size = 4 * tiles * seeds * (2 * side * n_bins + 100)
        return Cost(seconds, memory_mb, size)

    # figures

    def plot_sky_map(self) -> Cost:
        """Draw one map."""
        pixels = self._full_sky / self.survey.n_bins
        return Cost(4 + 1e-7 * pixels, 400 + 64 * pixels / MB)
