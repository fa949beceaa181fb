"""Pages are templates, filled with plain values, which the templates escape."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from infoscope.estimators.stopping import TRAINED
from infoscope.inference.inference import CALIBRATED
from infoscope.report import rounding

Row = dict[Hashable, Any]

# Names of the metrics in text
SYMBOLS = {
    "sigma_s8": "σ(S₈)",
    "sigma_omega_m": "σ(Ωₘ)",
    "sigma_sigma8": "σ(σ₈)",
    "area68": "68 % area",
    "area95": "95 % area",
    "fom": "figure of merit",
    "information": "information, in bits",
}
# What a word means for a reader, as a class of style.css: colours only repeat it.
TONES = {
    "wider": "bad",
    "narrower": "other",
    "equivalent": "good",
    "supported": "good",
    "contradicted": "bad",
    "agrees": "good",
    "differs": "bad",
    "undecided": "unknown",
    "withheld": "bad",
    "corrected": "warning",
    "falling": "warning",
    "overfit": "warning",
    "prior-limited": "warning",
}


def render(template: str, **values: Any) -> str:
    """Fill a template of the folder `templates`."""
    return ENVIRONMENT.get_template(template).render(values)


def records(frame: pd.DataFrame) -> list[Row]:
    """Rows of a table."""
    return frame.to_dict("records")


def groups(frame: pd.DataFrame, by: str | list[str]) -> list[list[Row]]:
    """Rows of a table that may be empty, in groups that are alike in some columns."""
    if frame.empty:
        return []
    return [records(group) for _, group in frame.groupby(by, sort=False)]


def remarks(row: Row) -> list[str]:
    """Words on what a reader should know before believing a row of widths.csv."""
    verdict = row["training_verdict"]
    found: list[str] = [] if verdict == TRAINED else verdict.split(" and ")
    if row["calibration"] != CALIBRATED:
        found.append(row["calibration"])
    if row["prior_limited"]:
        found.append("prior-limited")
    return found


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
