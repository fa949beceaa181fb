"""Figures: read results, draw them and write a PNG and a PDF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from getdist import MCSamples

from infoscope.cosmology.parameters import omega_m_s8
from infoscope.figures.calibration import Calibration, plot_calibration
from infoscope.figures.posteriors import Chain, plot_triangle
from infoscope.figures.style import save
from infoscope.figures.tiles import Example, plot_tiles
from infoscope.figures.training import plot_history, plot_learning_curves
from infoscope.files.hdf5 import open_for_reading
from infoscope.files.tables import read_table
from infoscope.inference.getdist_chains import (
    LABELS,
    SUFFIX,
    WITHHELD,
    read_calibration,
)

# Standard deviations. 68 % areas are right to 4 %, also where the prior cuts a
# posterior; with the width that GetDist chooses, some are 30 % too large.
SMOOTHING = 0.3


def run_triangle(spec: Mapping[str, Any], chains: Sequence[Path], output: Path) -> None:
    """Draw the posteriors of one estimator under chosen degradations.

    Parameters
    ----------
    spec
        `fiducial` has the true omega_m and sigma_8; `labels` and `families` have names,
        by degradation.
    chains
        Chains {degradation}/{estimator}.1.txt, in the order of the legend.
    output
        The PNG; a PDF is written beside it.
    """
    # GetDist draws with pyplot, which would look for a display
    mpl.use("agg")
    fiducial = np.array([spec["fiducial"][name] for name in ("omega_m", "sigma_8")])
    truth = dict(zip(LABELS, (*fiducial, omega_m_s8(fiducial)[1]), strict=True))
    drawn = [read_chain(spec, path) for path in chains]
    estimator = chains[0].name.removesuffix(SUFFIX)
    save(plot_triangle(drawn, estimator, truth), output)


def run_tiles(spec: Mapping[str, Any], examples: Sequence[Path], output: Path) -> None:
    """Draw one tile under each degradation: first fiducial sky, last redshift bin.

    Parameters
    ----------
    spec
        `labels` and `families` have names, by degradation.
    examples
        Files {degradation}.h5 of `collect_dataset`, in the order of the gallery.
    output
        The PNG; a PDF is written beside it.
    """
    drawn = []
    # every degradation is compared with the reference, wherever the config has it
    for path in sorted(examples, key=lambda path: path.stem != "reference"):
        with open_for_reading(path) as file:
            tiles = np.asarray(file["tiles"], dtype=float)
        drawn.append(Example(*_names(spec, path.stem), tiles))
    save(plot_tiles(drawn), output)


def run_history(
    spec: Mapping[str, Any], histories: Sequence[Path], output: Path
) -> None:
    """Draw the loss of every training against its steps.

    Parameters
    ----------
    spec
        `labels` and `families` have names, by degradation.
    histories
        Files {degradation}/{estimator}/seed_{seed}/history.csv.
    output
        The PNG; a PDF is written beside it.
    """
    tables = []
    for path in histories:
        degradation, estimator, seed = path.parts[-4:-1]
        label, family = _names(spec, degradation)
        tables.append(
            read_table(path).assign(
                degradation=degradation,
                label=label,
                family=family,
                estimator=estimator,
                seed=int(seed.removeprefix("seed_")),
            )
        )
    save(plot_history(pd.concat(tables, ignore_index=True)), output)


def run_calibration(
    spec: Mapping[str, Any], posteriors: Sequence[Path], output: Path
) -> None:
    """Draw coverage and ranks of every degradation and estimator.

    Parameters
    ----------
    spec
        `labels` and `families` have names, by degradation.
    posteriors
        Posterior files, in the order of the rows.
    output
        The PNG; a PDF is written beside it.
    """
    drawn = []
    for path in posteriors:
        with open_for_reading(path) as file:
            degradation = str(file.attrs["degradation"])
            label, family = _names(spec, degradation)
            drawn.append(
                Calibration(
                    degradation=degradation,
                    label=label,
                    family=family,
                    estimator=str(file.attrs["estimator"]),
                    verdict=str(file.attrs["calibration"]),
                    level=file["level"][:],
                    coverage=file["coverage"][:],
                    error=file["coverage_error"][:],
                    ranks=file["ranks"][:],
                )
            )
    save(plot_calibration(drawn), output)


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
    save(plot_learning_curves(read_table(table)), output)


def read_chain(spec: Mapping[str, Any], path: Path) -> Chain:
    """Read a chain and how it was calibrated; one that is withheld has no samples."""
    name = path.parent.name
    calibration = read_calibration(path)
    samples = None
    if calibration != WITHHELD:
        # not loadMCSamples, which would keep a copy
        root = str(path).removesuffix(SUFFIX)
        samples = MCSamples(root=root, settings={"smooth_scale_2D": SMOOTHING})
        samples.readChains([str(path)])
    return Chain(name, *_names(spec, name), calibration, samples)


def _names(spec: Mapping[str, Any], degradation: str) -> tuple[str, str]:
    """Label and family of a degradation."""
    return spec["labels"][degradation], spec["families"][degradation]
