"""Figures of ratios of widths: read tables, draw them and write a PNG and a PDF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infoscope.figures_of_widths import plot_widths
from infoscope.style import save
from infoscope.tables import read_table


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
