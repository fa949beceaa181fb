"""Rule `tabulate_nz`: the table of n(z), from any source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infoscope.files.atomic import atomic_path
from infoscope.survey.redshifts import redshift_distribution, write_nz


def run(spec: dict[str, Any], output: Path, sources: Sequence[Path] = ()) -> None:
    """Write the table of n(z) that all other rules read.

    Parameters
    ----------
    spec
        `survey.nz` of the config without the names of files.
    output
        Text file with the columns z, n_1, n_2 ….
    sources
        Files of `survey.nz`, if it has any.
    """
    nz = redshift_distribution(spec, sources)
    with atomic_path(output) as temporary:
        write_nz(nz, temporary)
