"""Rule `summarise_study`: the first page of the report, and tables as pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from infoscope.files.atomic import atomic_path
from infoscope.files.tables import read_table
from infoscope.report.front_page import first_page
from infoscope.report.tables import (
    claims_page,
    diagnostics_page,
    fisher_page,
    skies_page,
    widths_page,
)
from infoscope.run.benchmark_files import read_benchmark


def run(
    spec: dict[str, Any],
    widths: Path,
    diagnostics: Path,
    fisher: Path,
    pairs: Path,
    benchmarks: Path,
    output: Path,
    claims: Path | None = None,
) -> None:
    """Write the pages.

    Parameters
    ----------
    spec
        Summary of the study from `specs.summarise`.
    widths, diagnostics, fisher, pairs
        Tables of results.
    benchmarks
        Folder with Snakemake's benchmark files, {rule}.tsv and {rule}/*.tsv, as they
        are now.
    output
        summary.html, a part of a page. Beside it are written widths.html,
        diagnostics.html, claims.html, fisher.html and skies_pairs.html.
    claims
        claims.csv, if the study has claims.
    """
    of_widths, of_fisher = read_table(widths), read_table(fisher)
    of_pairs = read_table(pairs)
    of_claims = read_table(claims) if claims else pd.DataFrame()
    pages = {
        output.name: first_page(
            spec, of_widths, of_claims, of_fisher, of_pairs, read_costs(benchmarks)
        ),
        "widths.html": widths_page(of_widths),
        "diagnostics.html": diagnostics_page(read_table(diagnostics)),
        "claims.html": claims_page(of_claims),
        "fisher.html": fisher_page(of_fisher),
        "skies_pairs.html": skies_page(of_pairs),
    }
    for name, page in pages.items():
        with atomic_path(output.with_name(name)) as temporary:
            temporary.write_text(page, encoding="utf-8")


def read_costs(folder: Path) -> pd.DataFrame:
    """Sum benchmark files by rule: jobs, their seconds, and the largest memory in MB.

    Figures are left out: some are drawn later.
    """
    rows = []
    for path in sorted(folder.glob("*")):
        files = sorted(path.glob("*.tsv")) if path.is_dir() else [path]
        if files and not path.name.startswith("plot_"):
            table = pd.DataFrame([vars(read_benchmark(file)) for file in files])
            seconds, memory = table.seconds.sum(), table.memory_mb.max()
            rows.append((path.stem, len(files), seconds, memory))
    return pd.DataFrame(rows, columns=["rule", "jobs", "seconds", "memory_mb"])
