"""Every job of a study, before Snakemake is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import PurePath

from infoscope.study import specs
from infoscope.study.config import Study

# Files that a job leaves, of rules that leave more than one.
OUTPUTS = {
    "validate_skies": 4,
    "collect_dataset": 2,
    "train_estimator": 3,
    "train_reduced": 3,
    "export_chain": 3,
    "measure_widths": 4,
    "measure_claims": 2,
    "summarise_study": 6,
    "compare_attribution": 2,
    "plot_attribution": 2,
    "plot_skies": 2,
    "plot_sky_map": 2,
    "plot_widths": 2,
    "plot_claims": 2,
    "plot_scales": 2,
    "plot_kappa_ranges": 2,
    "plot_triangle": 2,
    "plot_calibration": 2,
    "plot_tiles": 2,
    "plot_history": 2,
    "plot_learning_curves": 2,
}
RECORDS = 2  # log and benchmark
# Snakemake takes 2 ms to plan a job, every time it is started, and clusters of many
# small jobs spend their time on starting them.
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

    @property
    def outputs(self) -> int:
        """Files that it leaves, beside its log and benchmark."""
        return OUTPUTS.get(self.rule, 1)


def jobs(study: Study) -> Iterator[Job]:
    """All jobs of a study of which there are no results, in the order of the work."""
    yield Job("tabulate_nz", {})
    if study.simulator.rules == "simulate":
        yield Job("tabulate_matter", {})
    yield Job("forecast_fisher", {})
    shards = [
        {"split": split, "shard": shard} for split, shard in specs.all_shards(study)
    ]
    for shard in shards:
        yield Job("simulate_skies", shard)
    yield from (Job(rule, {}) for rule in ("validate_skies", "plot_skies"))
    yield Job("plot_sky_map", {})
    for degradation in study.degradations:
        for shard in shards:
            yield Job("degrade_maps", {"degradation": degradation} | shard)
        yield Job("collect_dataset", {"degradation": degradation})
    seeds = [{"seed": str(seed)} for seed in range(study.training.seeds)]
    for degradation, estimator in product(study.degradations, study.estimators):
        pair = {"degradation": degradation, "estimator": estimator}
        yield from (Job("train_estimator", pair | seed) for seed in seeds)
        yield Job("infer_posterior", pair)
        yield Job("export_chain", pair)
    yield Job("measure_widths", {})
    if study.claims:
        yield Job("measure_claims", {})
    yield Job("summarise_study", {})
    for figure in ("plot_widths", "plot_calibration", "plot_tiles", "plot_history"):
        yield Job(figure, {})
    for estimator in study.estimators:
        yield Job("plot_triangle", {"estimator": estimator})
    if specs.shows_scales(study):
        yield from (Job(rule, {}) for rule in ("tabulate_scales", "plot_scales"))
    if specs.cuts(study):
        yield Job("plot_kappa_ranges", {})
    if study.claims:
        yield Job("plot_claims", {})
    for estimator in specs.attributed(study):
        for rule in ("attribute_estimates", "compare_attribution", "plot_attribution"):
            yield Job(rule, {"estimator": estimator})
    yield from _learning_curves(study, seeds)


def _learning_curves(study: Study, seeds: list[dict[str, str]]) -> Iterator[Job]:
    """Trainings with less, if the config asks for them."""
    curves = study.learning_curves.degradations
    for part in product(curves, study.estimators, specs.budgets(study)):
        less = dict(zip(("degradation", "estimator", "budget"), part, strict=True))
        yield from (Job("train_reduced", less | seed) for seed in seeds)
        yield Job("infer_reduced", less)
    if curves:
        yield Job("measure_learning_curves", {})
        yield Job("plot_learning_curves", {})


def warning(study: Study) -> str | None:
    """Say how a study that has very many jobs can do with fewer; None if it has not.

    A shard size that followed from the number of cosmologies would make longer grids
    compute everything anew, so it is left to the user.
    """
    number, size = sum(1 for _ in jobs(study)), study.grid.shard_size
    if number <= MANY:
        return None
    fewer = number
    while fewer > MANY:
        larger = _with_shards(study, 2 * size)
        less = sum(1 for _ in jobs(larger))
        if less == fewer:
            break
        study, size, fewer = larger, 2 * size, less
    if fewer == number:
        return None
    return (
        f"{number:,} jobs: grid.shard_size {size} would make them {fewer:,} "
        "(and compute skies and data sets anew, if there are any)"
    )


def _with_shards(study: Study, size: int) -> Study:
    grid = study.grid.model_copy(update={"shard_size": size})
    return study.model_copy(update={"grid": grid})
