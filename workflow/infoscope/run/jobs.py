"""The jobs of a study, without asking Snakemake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import PurePath

from infoscope.study import bounds, specs
from infoscope.study.config import Study

RECORDS = 2  # log and benchmark
# Snakemake takes 2 ms to plan a job, every time it is started, and clusters spend more
# time on starting many small jobs than on running them.
MANY = 5000


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes
    ----------
    rule
        Name of its rule.
    wildcards
        Values of its wildcards, in the order of the names of its log and benchmark.
    """

    rule: str
    wildcards: dict[str, str]

    @property
    def benchmark(self) -> PurePath:
        """Its benchmark file, in the folder `benchmarks` of the study."""
        name = "_".join(self.wildcards.values())
        return PurePath(self.rule, name).with_suffix(".tsv")


def jobs(study: Study) -> Iterator[Job]:
    """Jobs of a study without results, in the order of the work.

    Local rules are left out: their jobs make tables and figures in seconds, where
    Snakemake runs.
    """
    if study.simulator.rules == "simulate":
        yield Job("tabulate_matter", {})
    yield Job("forecast_fisher", {})
    shards = [
        {"split": split, "shard": shard} for split, shard in specs.all_shards(study)
    ]
    for shard in shards:
        yield Job("simulate_skies", shard)
    yield Job("validate_skies", {})
    for degradation in study.degradations:
        if degradation in specs.fitted(study):
            yield Job("fit_constants", {"degradation": degradation})
        for shard in shards:
            yield Job("degrade_maps", {"degradation": degradation} | shard)
        yield Job("collect_dataset", {"degradation": degradation})
    seeds = [{"seed": str(seed)} for seed in range(study.training.seeds)]
    for degradation, estimator in product(study.degradations, study.estimators):
        pair = {"degradation": degradation, "estimator": estimator}
        if not bounds.same_inputs(study, degradation, estimator):
            yield from (Job("train_estimator", pair | seed) for seed in seeds)
        yield Job("infer_posterior", pair)
    for estimator in specs.attributed(study):
        yield Job("attribute_estimates", {"estimator": estimator})
    names = ("degradation", "estimator", "budget")
    with_curves = study.learning_curves.degradations
    for trained, budget in product(
        bounds.training_runs(study, with_curves), specs.budgets(study)
    ):
        reduced = dict(zip(names, (*trained, budget), strict=True))
        yield from (Job("train_reduced", reduced | seed) for seed in seeds)
    for point in product(with_curves, study.estimators, specs.budgets(study)):
        yield Job("infer_reduced", dict(zip(names, point, strict=True)))


def warning(study: Study) -> str | None:
    """Suggest a shard size to a study that has very many jobs.

    The shard size is not chosen automatically: if it followed from the number of
    cosmologies, a longer grid would compute all skies again.

    Returns
    -------
        The message, or None if the study has few jobs, or larger shards do not help.
    """
    number, size = sum(1 for _ in jobs(study)), study.grid.shard_size
    if number <= MANY:
        return None
    fewer = number
    while fewer > MANY:
        larger = _with_shards(study, 2 * size)
        reduced = sum(1 for _ in jobs(larger))
        if reduced == fewer:
            break
        study, size, fewer = larger, 2 * size, reduced
    if fewer == number:
        return None
    return (
        f"{number:,} jobs: with grid.shard_size {size} there would be {fewer:,} "
        "(existing skies and data sets would be computed again)"
    )


def _with_shards(study: Study, size: int) -> Study:
    grid = study.grid.model_copy(update={"shard_size": size})
    return study.model_copy(update={"grid": grid})
