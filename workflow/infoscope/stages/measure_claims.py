"""Rule `measure_claims`: the table of claims and their verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infoscope.files.atomic import atomic_path
from infoscope.results.claims import columns, judge
from infoscope.results.config import Claim
from infoscope.run.benchmark_files import read_benchmark
from infoscope.stages.measure_widths import bounds_of, read
from infoscope.vocabulary import CostlyRule


def run(
    spec: dict[str, Any], posteriors: list[Path], benchmarks: Path, output: Path
) -> None:
    """Tabulate the verdicts on all claims.

    Parameters
    ----------
    spec
        `claims`, `equivalence`, `labels` by degradation, and `bounds` by estimator.
    posteriors
        Outputs of `infer_posterior` of the whole study.
    benchmarks
        Folder with the present benchmark files of Snakemake, {rule}/*.tsv.
    output
        claims.csv. claims_columns.csv, which explains its columns, is written beside
        it.
    """
    claims = [Claim.model_validate(claim) for claim in spec["claims"]]
    measurements = [read(path, spec["labels"]) for path in posteriors]
    seconds: dict[str, list[float]] = {
        rule: [
            read_benchmark(path).seconds
            for path in sorted((benchmarks / rule).glob("*.tsv"))
        ]
        for rule in CostlyRule
    }
    tables = {
        output.name: judge(
            claims, measurements, spec["equivalence"], seconds, bounds_of(spec)
        ),
        "claims_columns.csv": columns(),
    }
    for name, table in tables.items():
        with atomic_path(output.with_name(name)) as temporary:
            # errors of the values are larger than the rounding errors
            table.to_csv(temporary, index=False, float_format="%.4g")
