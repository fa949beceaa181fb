"""Snakemake's benchmark files, {rule}.tsv or {rule}/{wildcards}.tsv: what jobs took."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Benchmark:
    """What a job took; of one that was resumed, its last run.

    Attributes
    ----------
    seconds
        Of the clock.
    memory_mb
        Largest resident memory; nan of a job that was over before it was looked at.
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
