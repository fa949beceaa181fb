"""Rules `plot_*`: any figure, as PNG and PDF.

A figure is a module of `figures` with a function `draw`. It takes the spec of its rule
and the inputs of its rule, under their names: a parameter that is a `DataFrame` is read
from a CSV file, a `Path` or a `Sequence[Path]` is handed on.
"""

from __future__ import annotations

import importlib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd

from infoscope.figures.style import save
from infoscope.files.tables import read_table


def run(
    spec: Mapping[str, Any], figure: str, files: Mapping[str, Any], output: Path
) -> None:
    """Draw a figure.

    Parameters
    ----------
    spec
        What the figure needs to know of the config.
    figure
        Name of its module in `figures`.
    files
        Paths by the names of the parameters of `draw`.
    output
        The PNG; a PDF is written beside it.
    """
    # pyplot, which GetDist draws with, would look for a display
    mpl.use("agg")
    draw = importlib.import_module(f"infoscope.figures.{figure}").draw
    hints = typing.get_type_hints(draw)
    arguments = {
        name: read_table(value) if hints[name] is pd.DataFrame else value
        for name, value in files.items()
    }
    save(draw(spec, **arguments), output)
