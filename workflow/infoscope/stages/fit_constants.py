"""Rule `fit_constants`: numbers of operations that are fixed at the fiducial."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.degradations.degrade import fit
from infoscope.degradations.operation import load
from infoscope.degradations.patches import Patches
from infoscope.degradations.sky_files import SkyFile, parse_operations
from infoscope.errors import InfoscopeError
from infoscope.files.atomic import atomic_path
from infoscope.files.hdf5 import open_for_reading

log = logging.getLogger(__name__)

# At nside 64, the standard deviation of 48 patches of a sky is accurate to 0.3 %.
SKIES = 2


def run(
    spec: dict[str, Any],
    skies: Path,
    output: Path,
    operation_files: Sequence[Path] = (),
) -> None:
    """Fit the constants of a degradation to patches of the fiducial cosmology.

    The noise is not that of the mock observations, which are made of the same skies.

    Parameters
    ----------
    spec
        As in `degrade_maps`.
    skies
        First shard of the fiducial skies.
    output
        JSON file: a list with the constants of each operation, one number per bin.
    operation_files
        Files with user-defined operations.

    Raises
    ------
    InfoscopeError
        If constants cannot be fitted.
    """
    for path in operation_files:
        load(path)
    operations = parse_operations(spec)
    with open_for_reading(skies) as source:
        sky_file = SkyFile(source, spec)
        n_sky = min(SKIES, len(sky_file.members))
        kappa = []
        for i in range(n_sky):
            try:
                kappa.append(sky_file.patches(i).kappa)
            except InfoscopeError as error:
                raise InfoscopeError(f"{skies}: sky {i}: {error}") from None
        patches = Patches(np.concatenate(kappa, axis=1), sky_file.survey)
        constants = fit(
            patches,
            operations,
            spec["noise"],
            noise_rng=sky_file.generator("noise of the fit", 0),
            rng=sky_file.generator("fit", 0),
        )
    for operation, values in zip(operations, constants, strict=True):
        for name, numbers in values.items():
            rounded = ", ".join(f"{number:.4g}" for number in numbers)
            log.info("%s: %s: %s", operation.name_in_config, name, rounded)
    with atomic_path(output) as temporary:
        temporary.write_text(json.dumps(constants, indent=1) + "\n")
