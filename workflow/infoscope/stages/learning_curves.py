"""Rule `measure_learning_curves`: widths against what networks were trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infoscope.datasets import atomic_path
from infoscope.stages.widths import read
from infoscope.widths import measure_curves


def run(
    spec: dict[str, Any], less: list[Path], whole: list[Path], output: Path
) -> None:
    """Tabulate widths of trainings with less and, for each curve, of that with all.

    Parameters
    ----------
    spec
        labels by degradation; grid, the cosmologies and skies of all, and steps by
        estimator.
    less
        Posteriors …/{estimator}/{axis}_{percent}.h5 of trainings with less.
    whole
        Posteriors …/{estimator}.h5 of trainings with all.
    output
        CSV file.
    """
    curves = list(dict.fromkeys(path.stem.rpartition("_")[0] for path in less))
    measurements, trained_with = [], []
    for path in less:
        measurement = read(path, spec["labels"])
        axis, _, percent = path.stem.rpartition("_")
        number = _all(spec, measurement.estimator)[axis] * int(percent) / 100
        measurements.append(measurement)
        trained_with.append((axis, number))
    for path in whole:
        measurement = read(path, spec["labels"])
        for axis in curves:
            measurements.append(measurement)
            trained_with.append((axis, _all(spec, measurement.estimator)[axis]))
    table = measure_curves(measurements, trained_with)
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)


def _all(spec: dict[str, Any], estimator: str) -> dict[str, int]:
    return spec["grid"] | {"steps": spec["steps"][estimator]}
