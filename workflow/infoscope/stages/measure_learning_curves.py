"""Rule `measure_learning_curves`: widths against what networks were trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infoscope.files.atomic import atomic_path
from infoscope.results.widths import measure_curves
from infoscope.stages.measure_widths import read


def run(
    spec: dict[str, Any], reduced: list[Path], whole: list[Path], output: Path
) -> None:
    """Tabulate widths of trainings with reduced and, for each curve, of that with all.

    Parameters
    ----------
    spec
        labels by degradation; numbers by estimator: of all cosmologies, skies and
        steps, and of what there is reduced of in {axis}_{percent}.
    reduced
        Posteriors …/{estimator}/{axis}_{percent}.h5 of trainings with reduced.
    whole
        Posteriors …/{estimator}.h5 of trainings with all.
    output
        CSV file.
    """
    curves = dict.fromkeys(path.stem.partition("_")[0] for path in reduced)
    points = [(path, path.stem) for path in reduced]
    points += [(path, axis) for path in whole for axis in curves]
    found = {path: read(path, spec["labels"]) for path, _ in points}
    measurements, trained_with = [], []
    for path, name in points:
        measurement = found[path]
        number = spec["numbers"][measurement.estimator][name]
        measurements.append(measurement)
        trained_with.append((name.partition("_")[0], number))
    table = measure_curves(measurements, trained_with)
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)
