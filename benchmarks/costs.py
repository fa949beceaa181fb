"""Time and memory of jobs, compared with their estimates.

    PYTHONPATH=workflow python benchmarks/costs.py CONFIG

CONFIG is a study that has run in this folder. Other programs on the machine slow jobs
down. Seconds and memory are from Snakemake's benchmark files. Snakemake samples jobs
longer than half a minute only every half minute, and may miss their peak memory.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from infoscope.run.jobs import jobs
from infoscope.run.plan import read


def main(config: Path) -> None:
    """Print a line for each rule."""
    costs = read(config)
    benchmarks = Path("results", costs.study.study, "benchmarks")
    rules: dict[str, list[tuple[float, float, float, float]]] = {}
    for job in jobs(costs.study):
        path = benchmarks / job.benchmark
        if path.exists():
            with path.open() as file:
                *_, row = csv.DictReader(file, delimiter="\t")
            cost = costs.job(job.rule, job.wildcards)
            memory = 0.0 if row["max_rss"] == "NA" else float(row["max_rss"])
            numbers = (float(row["s"]), cost.seconds, memory, cost.memory_mb)
            rules.setdefault(job.rule, []).append(numbers)
    print(f"{'rule':24s} jobs   took expected ratio |     MB expected")
    for rule, numbers in rules.items():
        took, expected, memory, of_memory = zip(*numbers, strict=True)
        ratio = sum(took) / sum(expected)
        print(
            f"{rule:24s} {len(numbers):4d} {sum(took):6.0f} {sum(expected):8.0f} "
            f"{ratio:5.2f} | {max(memory):6.0f} {max(of_memory):8.0f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
