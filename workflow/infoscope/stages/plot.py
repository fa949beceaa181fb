"""Figures: read results, draw them and write a PNG and a PDF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from infoscope import figures
from infoscope.datasets import atomic_path, open_for_reading

DPI = 200


def run_widths(
    spec: Mapping[str, Any], table: Path, fisher: Path, output: Path
) -> None:
    """Draw the widths of all degradations and estimators.

    Parameters
    ----------
    spec
        Not used: the table has the labels.
    table
        widths.csv.
    fisher
        fisher.csv.
    output
        The PNG; a PDF is written beside it.
    """
    _save(figures.plot_widths(pd.read_csv(table), pd.read_csv(fisher)), output)


def run_contours(
    spec: Mapping[str, Any], posteriors: Sequence[Path], output: Path
) -> None:
    """Draw posteriors of the mean mock observation.

    Parameters
    ----------
    spec
        `fiducial` has the true omega_m and sigma_8; `labels` has names to show.
    posteriors
        Posterior files, in the order of the legend.
    output
        The PNG; a PDF is written beside it.
    """
    fiducial = (spec["fiducial"]["omega_m"], spec["fiducial"]["sigma_8"])
    drawn = [_read_posterior(spec, path) for path in posteriors]
    _save(figures.plot_contours(drawn, fiducial), output)


def run_tiles(spec: Mapping[str, Any], datasets: Sequence[Path], output: Path) -> None:
    """Draw one tile under each degradation: first fiducial sky, last redshift bin.

    Parameters
    ----------
    spec
        `labels` has the names to show, by degradation.
    datasets
        Dataset files {degradation}.h5, in the order of the gallery.
    output
        The PNG; a PDF is written beside it.
    """
    examples = []
    # every degradation is compared with the reference, wherever the config has it
    for path in sorted(datasets, key=lambda path: path.stem != "reference"):
        with open_for_reading(path) as file:
            tiles = np.asarray(file["fiducial/tiles"][0, ..., -1], dtype=float)
        examples.append(figures.Example(_label(spec, path.stem), tiles))
    _save(figures.plot_tiles(examples), output)


def run_history(
    spec: Mapping[str, Any], histories: Sequence[Path], output: Path
) -> None:
    """Draw the loss of every training against its steps.

    Parameters
    ----------
    spec
        `labels` has the names to show, by degradation.
    histories
        Files {degradation}/{estimator}/seed_{seed}/history.csv.
    output
        The PNG; a PDF is written beside it.
    """
    tables = []
    for path in histories:
        degradation, estimator, seed = path.parts[-4:-1]
        tables.append(
            pd.read_csv(path).assign(
                label=_label(spec, degradation),
                estimator=estimator,
                seed=int(seed.removeprefix("seed_")),
            )
        )
    _save(figures.plot_history(pd.concat(tables, ignore_index=True)), output)


def run_learning_curves(spec: Mapping[str, Any], table: Path, output: Path) -> None:
    """Draw widths against what networks were trained with.

    Parameters
    ----------
    spec
        Not used: the table has the labels.
    table
        learning_curves.csv.
    output
        The PNG; a PDF is written beside it.
    """
    _save(figures.plot_learning_curves(pd.read_csv(table)), output)


def _read_posterior(spec: Mapping[str, Any], path: Path) -> figures.Posterior:
    """Read the posterior of the seed whose σ(S₈) is the median."""
    with open_for_reading(path) as file:
        metrics = [_text(name) for name in file.attrs["metric"]]
        sigma_s8 = file["width"][:, metrics.index("sigma_s8")]
        seed = int(np.argsort(sigma_s8)[(sigma_s8.size - 1) // 2])
        degradation = _text(file.attrs["degradation"])
        return figures.Posterior(
            estimator=_text(file.attrs["estimator"]),
            label=_label(spec, degradation),
            density=np.asarray(file["density"][seed], dtype=float),
            omega_m=np.asarray(file["omega_m"][:], dtype=float),
            sigma_8=np.asarray(file["sigma_8"][:], dtype=float),
        )


def _label(spec: Mapping[str, Any], degradation: str) -> str:
    return str(spec["labels"].get(degradation) or degradation)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _save(figure: Figure, output: Path) -> None:
    """Write a figure as PNG and, beside it, as PDF, without dates."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with figures.style():
        for path, kind, metadata in (
            (output, "png", {}),
            (output.with_suffix(".pdf"), "pdf", {"CreationDate": None}),
        ):
            with atomic_path(path) as temporary:
                figure.savefig(temporary, format=kind, dpi=DPI, metadata=metadata)
