"""Benchmark files of Snakemake, {rule}.tsv or {rule}/{wildcards}.tsv."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Benchmark:
    """Time and memory of a job; for a resumed job, those of the last run.

    Attributes
    ----------
    seconds
        Wall-clock time.
    memory_mb
        Largest resident memory; nan if the job ended before Snakemake measured it.
    """

    seconds: float
    memory_mb: float


def read_benchmark(path: Path) -> Benchmark:
    """Read a benchmark file."""
    with path.open() as file:
        *_, last = csv.DictReader(file, delimiter="\t")
    # Snakemake writes - or NA for what it has not measured
    memory = math.nan if last["max_rss"] in ("-", "NA") else float(last["max_rss"])
    return Benchmark(float(last["s"]), memory)
