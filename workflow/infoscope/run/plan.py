"""What a study costs, before anyone submits it: `python -m infoscope plan`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import yaml

from infoscope.errors import InfoscopeError
from infoscope.run.benchmark_files import read_benchmark
from infoscope.run.costs import GPU_BYTES, GPU_FLOPS, GPU_START, ON_GPU, Cost, Costs
from infoscope.run.jobs import RECORDS, Job, jobs, warning
from infoscope.study.checks import checked_study, refuse_templates

# Of jobs that are over sooner, the time to start Python is most.
SHORTEST_MEASURED = 10.0
HEADINGS = ("rule", "jobs", "files", "core h", "GPU h", "GB", "MB a job", "min a job")


@dataclass(frozen=True)
class Row:
    """Costs of the jobs of a rule.

    Attributes
    ----------
    rule
        Its name.
    jobs, files
        Numbers of jobs and of the files that they leave, logs and benchmarks included.
    seconds
        Of cores, or of GPUs, of all jobs.
    longest
        Seconds of the longest job.
    memory_mb
        Of the largest job.
    size
        Bytes of the files.
    gpu
        Whether its jobs take a GPU, and seconds are those of GPUs.
    """

    rule: str
    jobs: int
    files: int
    seconds: float
    longest: float
    memory_mb: float
    size: float
    gpu: bool

    def elapsed(self, cores: int, gpus: int) -> float:
        """Seconds of the clock on so many cores and GPUs."""
        return max(self.longest, self.seconds / (gpus if self.gpu else cores))


def read(path: Path) -> Costs:
    """Read a study as the workflow does.

    Raises
    ------
    InfoscopeError
        The line with which Snakemake would refuse it.
    """
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        message = " ".join(str(error).split())
        raise InfoscopeError(f"config: {path}: {message}") from None
    if not isinstance(config, Mapping):
        raise InfoscopeError(f"config: {path}: has no keys")
    refuse_templates([path])
    return Costs.of(*checked_study(config))


def plan(
    path: Path, cores: int = 1, gpus: int = 0, measured: Path | None = None
) -> str:
    """Say what a study costs.

    Parameters
    ----------
    path
        Its config.
    cores, gpus
        How many there are; without GPUs, trainings run on cores.
    measured
        Config of a study that has run here, and in the same way: the benchmarks in its
        results decide how fast jobs are, and only their scaling is computed.

    Raises
    ------
    InfoscopeError
        If a config is wrong, or the study has not run.
    """
    costs, levels = read(path), {}
    if measured is not None:
        other = read(measured)
        levels = measured_levels(other, Path("results", other.study.study), gpus > 0)
    rows = table(costs, gpus > 0, levels)
    return "\n".join([*_lines(rows), "", *_remarks(costs, rows, cores, gpus, levels)])


def table(
    costs: Costs, gpu: bool = False, levels: Mapping[str, float] | None = None
) -> list[Row]:
    """Costs of the rules of a study that are not local, in the order of the work.

    Parameters
    ----------
    costs
        Of its jobs.
    gpu
        Whether trainings have a GPU.
    levels
        By rule, what its seconds are multiplied with, see `measured_levels`.
    """
    rows = []
    for rule, members in _by_rule(costs).items():
        found = [_cost(costs, job, gpu) for job in members]
        level = (levels or {}).get(rule, 1.0)
        rows.append(
            Row(
                rule=rule,
                jobs=len(members),
                files=sum(cost.files + RECORDS for cost in found),
                seconds=level * sum(cost.seconds for cost in found),
                longest=level * max(cost.seconds for cost in found),
                memory_mb=max(cost.memory_mb for cost in found),
                size=sum(cost.size for cost in found),
                gpu=gpu and rule in ON_GPU,
            )
        )
    return rows


def measured_levels(costs: Costs, results: Path, gpu: bool = False) -> dict[str, float]:
    """By rule, how many times as long as expected the jobs of a study took.

    Parameters
    ----------
    costs
        Of its jobs.
    results
        Its results.
    gpu
        Whether its trainings had a GPU.

    Raises
    ------
    InfoscopeError
        If there are no benchmarks, or all jobs were too short to tell.
    """
    levels = {}
    for rule, members in _by_rule(costs).items():
        took, expected = [], []
        for job in members:
            path = results / "benchmarks" / job.benchmark
            if path.exists():
                took.append(read_benchmark(path).seconds)
                expected.append(_cost(costs, job, gpu).seconds)
        if took and sum(took) / len(took) >= SHORTEST_MEASURED:
            levels[rule] = sum(took) / sum(expected)
    if not levels:
        raise InfoscopeError(
            f"{results}/benchmarks: no jobs of a rule take {SHORTEST_MEASURED:g} s or "
            "more, of which the speed could be told; run a larger study"
        )
    return levels


def _by_rule(costs: Costs) -> dict[str, list[Job]]:
    found: dict[str, list[Job]] = {}
    for job in jobs(costs.study):
        found.setdefault(job.rule, []).append(job)
    return found


def _cost(costs: Costs, job: Job, gpu: bool) -> Cost:
    on_gpu = gpu and job.rule in ON_GPU
    return (costs.on_gpu if on_gpu else costs.job)(job.rule, job.wildcards)


def _lines(rows: Sequence[Row]) -> list[str]:
    """Table with a line for each rule, and one for all."""
    total = Row(
        rule="total",
        jobs=sum(row.jobs for row in rows),
        files=sum(row.files for row in rows),
        seconds=0.0,
        longest=max(row.longest for row in rows),
        memory_mb=max(row.memory_mb for row in rows),
        size=sum(row.size for row in rows),
        gpu=False,
    )
    hours = {
        gpu: sum(row.seconds for row in rows if row.gpu is gpu) / 3600
        for gpu in (False, True)
    }
    cells: list[tuple[str, ...]] = [HEADINGS]
    for row in rows:
        one = row.seconds / 3600
        cells.append(_cells(row, 0 if row.gpu else one, one if row.gpu else 0))
    cells.append(_cells(total, hours[False], hours[True]))
    return aligned(cells)


def aligned(cells: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of a table whose first line are headings and whose last one is a sum."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    line = "-" * len(lines[0])
    return [lines[0], line, *lines[1:-1], line, lines[-1]]


def _cells(row: Row, core_hours: float, gpu_hours: float) -> tuple[str, ...]:
    return (
        row.rule,
        f"{row.jobs:,}",
        f"{row.files:,}",
        f"{core_hours:,.2f}",
        f"{gpu_hours:,.2f}",
        f"{row.size / 1e9:,.1f}",
        f"{100 * ceil(row.memory_mb / 100):,}",
        f"{ceil(row.longest / 60):,}",
    )


def _volume(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size < 1e11 else f"{size / 1e12:.2f} TB"


def _deleted(costs: Costs) -> list[str]:
    """Rules whose files are deleted when no job needs them any more."""
    storage = costs.study.storage
    kept = {"simulate_skies": storage.keep_skies, "degrade_maps": storage.keep_datasets}
    return [rule for rule, keep in kept.items() if not keep]


def _remarks(
    costs: Costs,
    rows: Sequence[Row],
    cores: int,
    gpus: int,
    levels: Mapping[str, float],
) -> list[str]:
    """Lines below the table: how long it takes, and where numbers are from."""
    hours = sum(row.elapsed(cores, gpus) for row in rows) / 3600
    size = sum(row.size for row in rows)
    deleted = sum(row.size for row in rows if row.rule in _deleted(costs))
    left = f" at most, {_volume(size - deleted)} in the end" if deleted else ""
    where = f"cores: {cores:,}" + (f", GPUs: {gpus:,}" if gpus else "")
    lines = [
        f"{_volume(size)} on disk{left}. About {hours:,.1f} h ({where}) if nothing "
        "waits, one rule after another."
    ]
    if levels:
        factors = ", ".join(f"{rule} {level:.2f}" for rule, level in levels.items())
        lines.append(f"Measured times over those expected: {factors}.")
    assumed = [row.rule for row in rows if row.gpu and row.rule not in levels]
    if assumed:
        lines.append(
            f"ASSUMED, not measured: {' and '.join(assumed)} on a GPU that sustains "
            f"{GPU_FLOPS / 1e12:g} TFLOP/s, gets {GPU_BYTES / 1e9:g} GB/s of tiles and "
            f"starts in {GPU_START:g} s; --measured replaces this."
        )
    if any(row.rule not in levels and not row.gpu for row in rows):
        lines.append("Other rates are those of one core of an AMD EPYC (docs/cost.md).")
    lines.append("Tables and figures, which take seconds each, are not listed.")
    many = warning(costs.study)
    return [*lines, f"warning: {many}"] if many else lines
