"""Rule `plot_attribution`: the figure of attribution beside ablation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infoscope.figures import attribution as figures_of_attribution
from infoscope.figures.style import save
from infoscope.files.tables import read_table


def run(spec: Mapping[str, Any], shares: Path, agreement: Path, output: Path) -> None:
    """Draw what `compare_attribution` found.

    Parameters
    ----------
    spec
        Not used: the tables say everything.
    shares, agreement
        shares.csv and agreement.csv.
    output
        The PNG; a PDF is written beside it.
    """
    figure = figures_of_attribution.plot_attribution(
        read_table(shares), read_table(agreement)
    )
    save(figure, output)
