"""Rule `measure_learning_curves`: widths as a function of the training budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infoscope.files.atomic import atomic_path
from infoscope.results.widths import measure_curves
from infoscope.stages.measure_widths import read


def run(
    spec: dict[str, Any], reduced: list[Path], whole: list[Path], output: Path
) -> None:
    """Tabulate widths of training runs with reduced budgets and with the full budget.

    Parameters
    ----------
    spec
        `labels` by degradation, and `numbers` by estimator: the full numbers of
        `cosmologies`, `skies` and `steps`, and the reduced number of each budget
        {axis}_{percent}.
    reduced
        Posteriors …/{estimator}/{axis}_{percent}.h5 with reduced budgets.
    whole
        Posteriors …/{estimator}.h5 with the full budget.
    output
        CSV file.
    """
    axes = dict.fromkeys(path.stem.partition("_")[0] for path in reduced)
    points = [(path, path.stem) for path in reduced]
    points += [(path, axis) for path in whole for axis in axes]
    measurement_of = {path: read(path, spec["labels"]) for path, _ in points}
    measurements, budgets = [], []
    for path, name in points:
        measurement = measurement_of[path]
        number = spec["numbers"][measurement.estimator][name]
        measurements.append(measurement)
        budgets.append((name.partition("_")[0], number))
    table = measure_curves(measurements, budgets)
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)
