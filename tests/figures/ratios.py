"""Synthetic tables of ratios."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

ESTIMATORS = ("cnn", "power_spectrum")


def widths_table(labels: Mapping[str, str]) -> pd.DataFrame:
    """Table in which the i-th degradation is wider than the one before."""
    rows = []
    for i, (name, label) in enumerate(labels.items()):
        for j, estimator in enumerate(ESTIMATORS):
            for metric, slope in (("sigma_s8", 0.2), ("area68", 0.3)):
                rows.append(
                    {
                        "degradation": name, "label": label, "estimator": estimator,
                        "metric": metric,
                        "value": 0.05 * (1 + slope * i) / (1 + j),
                        "ratio": 1 + slope * i / (1 + j),
                        "ratio_error": 0.02 * i,
                        "prior_limited": metric == "area68" and i > 3,
                        "calibration": "calibrated",
                        "training_verdict": "trained",
                        "verdict": "wider" if i else "reference",
                        "same_as": None,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def marked(table: pd.DataFrame, estimator: str, names: list[str], **columns) -> None:
    """Set columns of some degradations of an estimator, for all metrics."""
    chosen = table.degradation.isin(names) & (table.estimator == estimator)
    for column, value in columns.items():
        table.loc[chosen, column] = value


def withheld(table: pd.DataFrame, estimator: str, names: list[str]) -> None:
    """Withhold the widths of some degradations."""
    missing = dict.fromkeys(("value", "ratio", "ratio_error"), float("nan"))
    marked(table, estimator, names, calibration="withheld", **missing)
