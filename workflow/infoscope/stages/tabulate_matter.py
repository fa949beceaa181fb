"""Rule `tabulate_matter`: matter power spectra over the prior, for all skies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from infoscope.cosmology.boltzmann import tabulate
from infoscope.cosmology.config import CosmologyConfig
from infoscope.files.hdf5 import create, write


def run(spec: dict[str, Any], output: Path) -> None:
    """Tabulate matter power spectra over the prior.

    Parameters
    ----------
    spec
        `cosmology`, without the fiducial values.
    output
        HDF5 file with the arrays of `MatterTable`; h is an attribute.
    """
    table = tabulate(CosmologyConfig.model_validate(spec["cosmology"]))
    with create(output, spec) as file:
        arrays = asdict(table)
        file.attrs["h"] = arrays.pop("h")
        for name, values in arrays.items():
            write(file, name, values)
