"""Rule `export_chain`: samples of a posterior in the format of GetDist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infoscope.files.atomic import atomic_path
from infoscope.files.hdf5 import open_for_reading
from infoscope.inference import getdist_chains as chains


def run(spec: dict[str, Any], posterior: Path, output: Path) -> None:
    """Write samples of a posterior as text.

    Parameters
    ----------
    spec
        `prior`.
    posterior
        Output of `infer_posterior`.
    output
        The chain {name}.1.txt. {name}.paramnames and {name}.ranges are written beside
        it.
    """
    with open_for_reading(posterior) as file:
        text = chains.chain(file["samples"][:], str(file.attrs["calibration"]))
    root = output.name.removesuffix(chains.SUFFIX)
    for content, path in (
        (chains.names(), output.with_name(f"{root}.paramnames")),
        (chains.ranges(spec["prior"]), output.with_name(f"{root}.ranges")),
        (text, output),
    ):
        with atomic_path(path) as temporary:
            temporary.write_text(content)
