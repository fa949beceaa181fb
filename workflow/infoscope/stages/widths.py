"""Rule `measure_widths`: the table of posterior widths."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from infoscope.datasets import atomic_path, open_for_reading
from infoscope.widths import Measurement, Training, columns, measure


def run(spec: dict[str, Any], posteriors: list[Path], output: Path) -> None:
    """Tabulate the widths of all degradations and estimators.

    Parameters
    ----------
    spec
        prior, and labels by degradation.
    posteriors
        Outputs of `infer_posterior`; rows come in their order.
    output
        CSV file; {name}_columns.csv beside it explains its columns.
    """
    low, high = spec["prior"]["omega_m"]
    table = measure([read(path, spec["labels"]) for path in posteriors], high - low)
    explained = output.with_name(f"{output.stem}_columns.csv")
    for content, path in ((columns(), explained), (table, output)):
        with atomic_path(path) as temporary:
            content.to_csv(temporary, index=False)


def read(path: Path, labels: dict[str, str]) -> Measurement:
    """Read what `infer_posterior` wrote."""
    with open_for_reading(path) as file:
        attributes = file.attrs
        degradation = str(attributes["degradation"])
        return Measurement(
            degradation=degradation,
            label=labels[degradation],
            estimator=str(attributes["estimator"]),
            kind=str(attributes["kind"]),
            n_mocks=file["widths"].shape[1],
            width=file["width"][:],
            bootstrap=file["bootstrap"][:],
            training=Training(
                **{f.name: float(attributes[f.name]) for f in fields(Training)}
            ),
        )
