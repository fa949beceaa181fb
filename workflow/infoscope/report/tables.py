"""The tables of results as pages of the report."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from infoscope.report.rendering import SYMBOLS, groups, records, render
from infoscope.results.claims import MEANINGS as CLAIM_MEANINGS
from infoscope.results.widths import MEANINGS


def widths_page(widths: pd.DataFrame) -> str:
    """Write the page of widths.csv, with a table per metric."""
    metrics = groups(widths, "metric")
    return render("widths.html.jinja", metrics=metrics, meanings=MEANINGS)


def diagnostics_page(diagnostics: pd.DataFrame) -> str:
    """Write the page of diagnostics.csv: calibration, training and nuisance."""
    names = ["marginalised_over", "conditioned_on"]
    return render(
        "diagnostics.html.jinja",
        rows=records(diagnostics),
        nuisance=records(diagnostics.dropna(subset=names, how="all")),
    )


def claims_page(claims: pd.DataFrame) -> str:
    """Write the page of claims.csv, which may be empty: a table per claim."""
    each = groups(claims, ["claim", "claim_verdict"])
    return render("claims.html.jinja", claims=each, meanings=CLAIM_MEANINGS)


def fisher_page(fisher: pd.DataFrame, labels: Mapping[str, str]) -> str:
    """Write the page of fisher.csv: forecasts without and with prior, and matrices.

    Parameters
    ----------
    fisher
        Rows of fisher.csv.
    labels
        Names of the degradations.
    """
    metrics = [name for name in SYMBOLS if name in fisher]
    return render(
        "fisher.html.jinja", rows=records(fisher), metrics=metrics, labels=labels
    )


def skies_page(pairs: pd.DataFrame) -> str:
    """Write the page of skies_pairs.csv: deviations of the spectra from theory."""
    return render("skies_pairs.html.jinja", rows=records(pairs))
