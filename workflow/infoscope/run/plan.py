"""Estimate what a study costs before it is submitted: `python -m infoscope plan`."""

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

# Shorter jobs spend most of their time on starting Python.
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
        Numbers of jobs and of their files, including logs and benchmarks.
    seconds
        Core seconds, or GPU seconds, of all jobs.
    longest
        Seconds of the longest job.
    memory_mb
        Memory of the largest job.
    size
        Bytes of the files.
    gpu
        Whether the jobs use a GPU and `seconds` are GPU seconds.
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
        """Wall-clock seconds on this number of cores and GPUs."""
        return max(self.longest, self.seconds / (gpus if self.gpu else cores))


def read(path: Path) -> Costs:
    """Read and check a study as the workflow does.

    Raises
    ------
    InfoscopeError
        The error with which Snakemake would stop.
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
    """Estimate what a study costs.

    Parameters
    ----------
    path
        Its config.
    cores, gpus
        Available cores and GPUs. Without GPUs, training runs use cores.
    measured
        Config of a study that has run here, and in the same way. The benchmarks in its
        results set the speed of jobs, and only their scaling is computed.

    Returns
    -------
        A table with a line per rule, and remarks.

    Raises
    ------
    InfoscopeError
        If a config is invalid, or the measured study has not run.
    """
    costs, factors = read(path), {}
    if measured is not None:
        other = read(measured)
        factors = measured_factors(other, Path("results", other.study.study), gpus > 0)
    rows = table(costs, gpus > 0, factors)
    return "\n".join([*_lines(rows), "", *_remarks(costs, rows, cores, gpus, factors)])


def table(
    costs: Costs, gpu: bool = False, factors: Mapping[str, float] | None = None
) -> list[Row]:
    """Costs of the rules of a study that are not local, in the order of the work.

    Parameters
    ----------
    costs
        Costs of its jobs.
    gpu
        Whether training runs have a GPU.
    factors
        By rule, the factor that multiplies its seconds, see `measured_factors`.
    """
    rows = []
    for rule, members in _by_rule(costs).items():
        found = [_cost(costs, job, gpu) for job in members]
        factor = (factors or {}).get(rule, 1.0)
        rows.append(
            Row(
                rule=rule,
                jobs=len(members),
                files=sum(cost.files + RECORDS for cost in found),
                seconds=factor * sum(cost.seconds for cost in found),
                longest=factor * max(cost.seconds for cost in found),
                memory_mb=max(cost.memory_mb for cost in found),
                size=sum(cost.size for cost in found),
                gpu=gpu and rule in ON_GPU,
            )
        )
    return rows


def measured_factors(
    costs: Costs, results: Path, gpu: bool = False
) -> dict[str, float]:
    """Measured time of the jobs of a study divided by the expected time, by rule.

    Parameters
    ----------
    costs
        Costs of its jobs.
    results
        Folder of its results.
    gpu
        Whether its training runs had a GPU.

    Raises
    ------
    InfoscopeError
        If there are no benchmarks, or all jobs were too short to measure.
    """
    factors = {}
    for rule, members in _by_rule(costs).items():
        took, expected = [], []
        for job in members:
            path = results / "benchmarks" / job.benchmark
            if path.exists():
                took.append(read_benchmark(path).seconds)
                expected.append(_cost(costs, job, gpu).seconds)
        if took and sum(took) / len(took) >= SHORTEST_MEASURED:
            factors[rule] = sum(took) / sum(expected)
    if not factors:
        raise InfoscopeError(
            f"{results}/benchmarks: the jobs of every rule take less than "
            f"{SHORTEST_MEASURED:g} s, too short to measure; run a larger study"
        )
    return factors


def _by_rule(costs: Costs) -> dict[str, list[Job]]:
    found: dict[str, list[Job]] = {}
    for job in jobs(costs.study):
        found.setdefault(job.rule, []).append(job)
    return found


def _cost(costs: Costs, job: Job, gpu: bool) -> Cost:
    on_gpu = gpu and job.rule in ON_GPU
    return (costs.on_gpu if on_gpu else costs.job)(job.rule, job.wildcards)


def _lines(rows: Sequence[Row]) -> list[str]:
    """Table with a line per rule, and their sum."""
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
    """Align the columns of a table with headings first and totals last."""
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
    """Rules whose files are deleted once no job needs them."""
    storage = costs.study.storage
    kept = {"simulate_skies": storage.keep_skies, "degrade_maps": storage.keep_datasets}
    return [rule for rule, keep in kept.items() if not keep]


def _remarks(
    costs: Costs,
    rows: Sequence[Row],
    cores: int,
    gpus: int,
    factors: Mapping[str, float],
) -> list[str]:
    """Lines below the table: disk space, time, and the origin of the numbers."""
    hours = sum(row.elapsed(cores, gpus) for row in rows) / 3600
    size = sum(row.size for row in rows)
    deleted = sum(row.size for row in rows if row.rule in _deleted(costs))
    left = f" at most, {_volume(size - deleted)} in the end" if deleted else ""
    where = f"cores: {cores:,}" + (f", GPUs: {gpus:,}" if gpus else "")
    lines = [
        f"{_volume(size)} on disk{left}. About {hours:,.1f} h ({where}) if rules run "
        "one after another and no job waits in a queue."
    ]
    if factors:
        each = ", ".join(f"{rule} {factor:.2f}" for rule, factor in factors.items())
        lines.append(f"Measured time / expected time: {each}.")
    assumed = [row.rule for row in rows if row.gpu and row.rule not in factors]
    if assumed:
        lines.append(
            f"ASSUMED, not measured: {' and '.join(assumed)} on a GPU that sustains "
            f"{GPU_FLOPS / 1e12:g} TFLOP/s, reads {GPU_BYTES / 1e9:g} GB/s of tiles "
            f"and starts in {GPU_START:g} s; --measured replaces these values."
        )
    if any(row.rule not in factors and not row.gpu for row in rows):
        lines.append(
            "Other rates were measured on one core of an AMD EPYC (docs/cost.md)."
        )
    lines.append("Tables and figures are not listed: they take seconds each.")
    many = warning(costs.study)
    return [*lines, f"warning: {many}"] if many else lines
