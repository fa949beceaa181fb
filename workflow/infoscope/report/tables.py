"""The tables of results as pages of the report."""

from __future__ import annotations

import pandas as pd

from infoscope.report.rendering import SYMBOLS, groups, records, render
from infoscope.results.claims import MEANINGS as CLAIM_MEANINGS
from infoscope.results.widths import MEANINGS


def widths_page(widths: pd.DataFrame) -> str:
    """Show widths.csv, a table for each metric.

    Parameters
    ----------
    widths
        As `measure` makes it.
    """
    metrics = groups(widths, "metric")
    return render("widths.html.jinja", metrics=metrics, meanings=MEANINGS)


def diagnostics_page(diagnostics: pd.DataFrame) -> str:
    """Show diagnostics.csv: calibration, training and nuisance parameters."""
    names = ["marginalised_over", "conditioned_on"]
    return render(
        "diagnostics.html.jinja",
        rows=records(diagnostics),
        nuisance=records(diagnostics.dropna(subset=names, how="all")),
    )


def claims_page(claims: pd.DataFrame) -> str:
    """Show claims.csv, if there are any: each claim, and what was compared."""
    each = groups(claims, ["claim", "claim_verdict"])
    return render("claims.html.jinja", claims=each, meanings=CLAIM_MEANINGS)


def fisher_page(fisher: pd.DataFrame) -> str:
    """Show fisher.csv: the forecast without and with the prior, and the matrix."""
    metrics = [name for name in SYMBOLS if name in fisher]
    return render("fisher.html.jinja", rows=records(fisher), metrics=metrics)


def skies_page(pairs: pd.DataFrame) -> str:
    """Show skies_pairs.csv: deviations of the spectra from theory, in per cent."""
    return render("skies_pairs.html.jinja", rows=records(pairs))
