"""Templates of the pages; they take plain values and escape them."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from infoscope.report import rounding
from infoscope.vocabulary import (
    Agreement,
    Calibration,
    Metric,
    TrainingVerdict,
    Verdict,
)

Row = dict[Hashable, Any]

PRIOR_LIMITED = "prior-limited"
COUNTERFACTUAL = "counterfactual"
SAME_INPUTS = "same inputs"
# Names of the metrics in text
SYMBOLS = {
    Metric.SIGMA_S8: "σ(S₈)",
    Metric.SIGMA_OMEGA_M: "σ(Ωₘ)",
    Metric.SIGMA_SIGMA8: "σ(σ₈)",
    Metric.AREA68: "68 % area",
    Metric.AREA95: "95 % area",
    Metric.FOM: "figure of merit",
    Metric.INFORMATION: "information, in bits",
}
# What a word means for a reader, as a class of style.css: colours only repeat it.
TONES = {
    Verdict.WIDER: "bad",
    Verdict.NARROWER: "other",
    Verdict.EQUIVALENT: "good",
    Verdict.SUPPORTED: "good",
    Verdict.CONTRADICTED: "bad",
    Verdict.UNDECIDED: "unknown",
    Verdict.IMPOSSIBLE: "bad",
    Verdict.RESHAPED: "other",
    Verdict.WITHHELD: "bad",
    Agreement.AGREES: "good",
    Agreement.DIFFERS: "bad",
    Calibration.CORRECTED: "warning",
    TrainingVerdict.FALLING: "warning",
    TrainingVerdict.OVERFIT: "warning",
    PRIOR_LIMITED: "warning",
    COUNTERFACTUAL: "other",
    SAME_INPUTS: "other",
}


def render(template: str, **values: Any) -> str:
    """Fill in a template of the folder `templates`."""
    return ENVIRONMENT.get_template(template).render(values)


def records(frame: pd.DataFrame) -> list[Row]:
    """Rows of a table."""
    return frame.to_dict("records")


def groups(frame: pd.DataFrame, by: str | list[str]) -> list[list[Row]]:
    """Rows of a table, grouped by one or more columns; the table may be empty."""
    if frame.empty:
        return []
    return [records(group) for _, group in frame.groupby(by, sort=False)]


def remarks(row: Row) -> list[str]:
    """Words for the reasons to doubt a row of widths.csv, or to read it with care."""
    words = [*row["training_verdict"].split(" and "), row["calibration"]]
    words += [PRIOR_LIMITED] if row["prior_limited"] else []
    words += [COUNTERFACTUAL] if row["counterfactual"] else []
    words += [SAME_INPUTS] if isinstance(row["same_as"], str) else []
    unsuspicious = (TrainingVerdict.TRAINED, Calibration.CALIBRATED)
    return [word for word in words if word not in unsuspicious]


def _blank_if_missing(value: Any) -> Any:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else value


ENVIRONMENT = Environment(
    loader=PackageLoader("infoscope.report"),
    autoescape=True,
    finalize=_blank_if_missing,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.globals |= {"SYMBOLS": SYMBOLS, "TONES": TONES}
ENVIRONMENT.filters |= {
    "rounded": rounding.rounded,
    "with_error": rounding.with_error,
    "p_value": rounding.p_value,
    "remarks": remarks,
}
