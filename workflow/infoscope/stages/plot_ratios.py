"""Figures of ratios of widths: read tables, draw them and write a PNG and a PDF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.figures.claims import plot_claims
from infoscope.figures.kappa_ranges import Cut, plot_kappa_ranges
from infoscope.figures.scales import plot_scales
from infoscope.figures.style import save
from infoscope.figures.widths import plot_widths
from infoscope.files.tables import read_table


def run_widths(
    spec: Mapping[str, Any], table: Path, fisher: Path, output: Path
) -> None:
    """Draw the widths of all degradations and estimators.

    Parameters
    ----------
    spec
        `families` of the degradations.
    table
        widths.csv.
    fisher
        fisher.csv.
    output
        The PNG; a PDF is written beside it.
    """
    figure = plot_widths(read_table(table), read_table(fisher), spec["families"])
    save(figure, output)


def run_scales(
    spec: Mapping[str, Any], table: Path, scales: Path, output: Path
) -> None:
    """Draw widths against the scales of filters.

    Parameters
    ----------
    spec
        `filters` of the degradations that are one, see `specs.filters`, and the margin
        of `equivalence`.
    table
        widths.csv.
    scales
        scales.csv.
    output
        The PNG; a PDF is written beside it.
    """
    of_bins = read_table(scales)
    distance = of_bins["chi_mpc_h"].mean()
    filters = {}
    for name, known in spec["filters"].items():
        ends = known["scale_mpc_h"] or [np.pi / ell * distance for ell in known["ell"]]
        filters[name] = (known["operation"], min(ends), max(ends))
    figure = plot_scales(read_table(table), of_bins, filters, spec["equivalence"])
    save(figure, output)


def run_kappa_ranges(spec: Mapping[str, Any], table: Path, output: Path) -> None:
    """Draw widths of ranges of the convergence beside those of their controls.

    Parameters
    ----------
    spec
        `cuts`, see `specs.cuts`.
    table
        widths.csv.
    output
        The PNG; a PDF is written beside it.
    """
    cuts = [Cut(**cut) for cut in spec["cuts"]]
    save(plot_kappa_ranges(read_table(table), cuts), output)


def run_claims(
    spec: Mapping[str, Any], table: Path, diagnostics: Path, output: Path
) -> None:
    """Draw what was found beside what claims expect.

    Parameters
    ----------
    spec
        `labels` and `families` of the degradations.
    table
        claims.csv.
    diagnostics
        diagnostics.csv: what to know of the widths that are compared.
    output
        The PNG; a PDF is written beside it.
    """
    figure = plot_claims(
        read_table(table), read_table(diagnostics), spec["labels"], spec["families"]
    )
    save(figure, output)
