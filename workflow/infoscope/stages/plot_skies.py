"""Rules `plot_skies` and `plot_sky_map`: pictures of the simulated skies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.figures import skies as figures_of_skies
from infoscope.figures.style import save
from infoscope.files.hdf5 import open_for_reading
from infoscope.files.tables import read_table


def run(spec: Mapping[str, Any], bands: Path, output: Path) -> None:
    """Draw what `validate_skies` found.

    Parameters
    ----------
    spec
        Not used: the tables say everything.
    bands
        skies.csv; the other tables are beside it.
    output
        The PNG; a PDF is written beside it.
    """
    pairs, moments, histograms = (
        read_table(bands.with_name(f"skies_{name}.csv"))
        for name in ("pairs", "moments", "histograms")
    )
    table = read_table(bands)
    save(figures_of_skies.plot_skies(table, pairs, moments, histograms), output)


def run_map(spec: Mapping[str, Any], skies: Path, output: Path) -> None:
    """Draw the last redshift bin of the first fiducial sky.

    Parameters
    ----------
    spec
        Not used: the file of the skies says what they are.
    skies
        First shard of the fiducial skies.
    output
        The PNG; a PDF is written beside it.
    """
    with open_for_reading(skies) as file:
        kappa = np.asarray(file["kappa"][0, -1], dtype=float)
        mean_z = file["mean_z"][:]
    label = f"Convergence κ of bin {len(mean_z)}, ⟨z⟩ = {mean_z[-1]:.2f}"
    save(figures_of_skies.plot_sky_map(kappa, label), output)
