"""The style of all figures, and writing them to files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

from infoscope.files.atomic import atomic_path

P = ParamSpec("P")

STYLE = Path(__file__).parents[3] / "resources" / "infoscope.mplstyle"
DPI = 200


def style() -> AbstractContextManager[None]:
    """Return a context in which matplotlib uses the style of the project."""
    return mpl.rc_context(fname=STYLE)


def styled(plot: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a plotting function use the style of the project."""

    @wraps(plot)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style():
            return plot(*args, **kwargs)

    return wrapped


def colorblind(number: int) -> list[tuple[float, float, float]]:
    """Return colours that colour-blind readers can tell apart."""
    return list(sns.color_palette("colorblind", number))


def save(figure: Figure, output: Path) -> None:
    """Write a figure as PNG and, beside it, as PDF, without dates."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with style():
        for path, kind, metadata in (
            (output, "png", {}),
            (output.with_suffix(".pdf"), "pdf", {"CreationDate": None}),
        ):
            with atomic_path(path) as temporary:
                figure.savefig(temporary, format=kind, dpi=DPI, metadata=metadata)
