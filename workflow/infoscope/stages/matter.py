"""Rule `tabulate_matter`: matter power over the prior, once for all skies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from infoscope.boltzmann import tabulate
from infoscope.config import CosmologyConfig
from infoscope.datasets import create


def run(spec: dict[str, Any], output: Path) -> None:
    """Tabulate the matter of all cosmologies of a prior.

    Parameters
    ----------
    spec
        The cosmology of the config.
    output
        HDF5 file with the arrays of `MatterTable`.
    """
    table = tabulate(CosmologyConfig.model_validate(spec["cosmology"]))
    with create(output, spec) as file:
        for name, values in asdict(table).items():
            file[name] = values
