"""Rule `tabulate_nz`: n(z) of the study as a table, whatever its source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infoscope.files.atomic import atomic_path
from infoscope.survey.redshifts import redshift_distribution, write_nz


def run(spec: dict[str, Any], output: Path, sources: Sequence[Path] = ()) -> None:
    """Write the table that all other rules read.

    Parameters
    ----------
    spec
        `survey.nz` of the config without its files.
    output
        Text file with the columns z, n_1, n_2 ….
    sources
        Its files.
    """
    nz = redshift_distribution(spec, sources)
    with atomic_path(output) as temporary:
        write_nz(nz, temporary)
