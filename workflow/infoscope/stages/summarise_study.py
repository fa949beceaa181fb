"""Rule `summarise_study`: the first page of the report, and pages with tables."""

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
    """Write pages of the report.

    Parameters
    ----------
    spec
        Summary of the study, see `specs.summarise`.
    widths, diagnostics, fisher, pairs
        widths.csv, diagnostics.csv, fisher.csv and skies_pairs.csv.
    benchmarks
        Folder with the present benchmark files of Snakemake, {rule}.tsv and
        {rule}/*.tsv.
    output
        summary.html, a fragment of a page. widths.html, diagnostics.html, claims.html,
        fisher.html and skies_pairs.html are written beside it.
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
        "fisher.html": fisher_page(of_fisher, spec["labels"]),
        "skies_pairs.html": skies_page(of_pairs),
    }
    for name, page in pages.items():
        with atomic_path(output.with_name(name)) as temporary:
            temporary.write_text(page, encoding="utf-8")


def read_costs(folder: Path) -> pd.DataFrame:
    """Tabulate jobs, total seconds and largest memory in MB of each rule.

    Rules of figures are left out, because some figures are drawn later.
    """
    rows = []
    for path in sorted(folder.glob("*")):
        files = sorted(path.glob("*.tsv")) if path.is_dir() else [path]
        if files and not path.name.startswith("plot_"):
            table = pd.DataFrame([vars(read_benchmark(file)) for file in files])
            seconds, memory = table.seconds.sum(), table.memory_mb.max()
            rows.append((path.stem, len(files), seconds, memory))
    return pd.DataFrame(rows, columns=["rule", "jobs", "seconds", "memory_mb"])
