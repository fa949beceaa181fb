"""The tables of results as pages of the report."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from infoscope.estimators.stopping import TRAINED
from infoscope.inference.inference import CALIBRATED
from infoscope.report.html import (
    Cell,
    document,
    measured,
    number,
    p_value,
    records,
    table,
    text,
    word,
    words,
)
from infoscope.results.claims import MEANINGS as CLAIM_MEANINGS
from infoscope.results.widths import MEANINGS

# The names of metrics in text
SYMBOLS = {
    "sigma_s8": "σ(S₈)",
    "sigma_omega_m": "σ(Ωₘ)",
    "sigma_sigma8": "σ(σ₈)",
    "area68": "68 % area",
    "area95": "95 % area",
    "fom": "figure of merit",
    "information": "information, in bits",
}


def widths_page(widths: pd.DataFrame) -> str:
    """Show widths.csv, a table for each metric.

    Parameters
    ----------
    widths
        As `measure` makes it.
    """
    heads = ["degradation", "estimator", "value", "ratio to reference", "p", "verdict"]
    heads += ["share of the prior", "remarks", "trainings"]
    parts = [
        "<p>Ratios compare with the reference of the same estimator. A click on the "
        "head of a column sorts by it.</p>"
    ]
    for metric, symbol in SYMBOLS.items():
        chosen = widths[widths.metric == metric]
        rows = [
            [
                text(row.label),
                text(row.estimator),
                measured(row.value, row.error),
                measured(row.ratio, row.ratio_error),
                p_value(row.p_value),
                word(row.verdict),
                number(row.prior_fraction, 2),
                Cell(words(remarks(row))),
                number(row.n_seeds),
            ]
            for row in records(chosen)
        ]
        parts.append(f"<h2>{symbol}</h2>\n<p>{escape(_sentence(MEANINGS[metric]))}</p>")
        parts.append(table(heads, rows))
    return document("Widths of posteriors", "\n".join(parts))


def _sentence(meaning: str) -> str:
    return meaning[0].upper() + meaning[1:] + "."


def remarks(row: Any) -> list[str]:
    """Words on what a reader should know before believing a row of widths.csv."""
    found = (
        [] if row.training_verdict == TRAINED else row.training_verdict.split(" and ")
    )
    if row.calibration != CALIBRATED:
        found.append(row.calibration)
    if row.prior_limited:
        found.append("prior-limited")
    return found


def diagnostics_page(diagnostics: pd.DataFrame) -> str:
    """Show diagnostics.csv: calibration, training and nuisance parameters."""
    rows = records(diagnostics)
    calibration = [
        [
            text(row.label),
            text(row.estimator),
            word(row.calibration),
            p_value(row.calibration_p_value),
            number(row.power),
            number(row.coverage68_tarp, 2),
            number(row.coverage68_omega_m, 2),
            number(row.coverage68_s8, 2),
            number(row.coverage68_sigma8, 2),
            number(row.information),
            number(row.score),
        ]
        for row in rows
    ]
    training = [
        [
            text(row.label),
            text(row.estimator),
            word(row.training_verdict),
            number(row.train_nll),
            measured(row.validation_nll, row.validation_error),
            number(row.final_drop, 2),
        ]
        for row in rows
    ]
    nuisance = [
        [text(row.label), text(row.marginalised_over), text(row.conditioned_on)]
        for row in rows
        if isinstance(row.marginalised_over, str) or isinstance(row.conditioned_on, str)
    ]
    whose = ["degradation", "estimator"]
    heads = [*whose, "verdict", "p", "power"]
    heads += ["regions", "of Ωₘ", "of S₈", "of σ₈", "information", "score"]
    body = (
        "<h2>Calibration</h2>\n<p>The share of true cosmologies inside of regions "
        "(TARP), and of intervals of each parameter, that should hold 68 % of them; "
        "information and score in bits.</p>"
        + table(heads, calibration)
        + "<h2>Training</h2>\n<p>Losses in nat, means over seeds.</p>"
        + table(
            [*whose, "verdict", "training loss", "validation loss", "final drop"],
            training,
        )
    )
    if nuisance:
        heads = ["degradation", "marginalised over", "conditioned on"]
        body += "<h2>Nuisance parameters</h2>\n" + table(heads, nuisance)
    return document("Diagnostics", body)


def claims_page(claims: pd.DataFrame) -> str:
    """Show claims.csv: each claim, and below it what was compared."""
    if claims.empty:
        return document("Claims", "<p>This study has no claims to test.</p>")
    heads = ["width", "compared with", "metric", "expected", "ratio", "p (support)"]
    heads += ["p (contradict)", "verdict", "note"]
    parts = [
        f"<p><b>p (support):</b> {escape(CLAIM_MEANINGS['p_support'])}.</p>"
        f"<p><b>p (contradict):</b> {escape(CLAIM_MEANINGS['p_contradict'])}.</p>"
    ]
    for (claim, verdict), chosen in claims.groupby(
        ["claim", "claim_verdict"], sort=False
    ):
        parts.append(f"<h2>{escape(str(claim))} {words([str(verdict)])}</h2>")
        source = chosen.source.iloc[0]
        if isinstance(source, str):
            parts.append(f"<p>From {escape(source)}.</p>")
        rows = [
            [
                text(_pair(row.degradation, row.estimator)),
                text(_pair(row.against_degradation, row.against_estimator)),
                text(SYMBOLS.get(row.metric, row.metric)),
                text(row.expected),
                measured(row.ratio, row.ratio_error),
                p_value(row.p_support),
                p_value(row.p_contradict),
                word(row.verdict),
                text(row.note),
            ]
            for row in records(chosen)
        ]
        parts.append(table(heads, rows))
    return document("Claims", "\n".join(parts))


def _pair(degradation: object, estimator: object) -> str | None:
    """Name a width; costs have none."""
    if not isinstance(degradation, str):
        return None
    return f"{degradation} / {estimator}"


def fisher_page(fisher: pd.DataFrame) -> str:
    """Show fisher.csv: the forecast without and with the prior, and the matrix."""
    metrics = [name for name in SYMBOLS if name in fisher]
    names = {"none": "without", "box": "uniform, as in the study"}
    rows = [
        [text(names[row["prior"]]), *(number(row[metric]) for metric in metrics)]
        for _, row in fisher.iterrows()
    ]
    first = fisher.iloc[0]
    matrix = [
        [text("Ωₘ")]
        + [number(first.fisher_omega_m_omega_m), number(first.fisher_omega_m_s8)],
        [text("S₈"), number(first.fisher_omega_m_s8), number(first.fisher_s8_s8)],
    ]
    body = (
        table(["prior", *(SYMBOLS[metric] for metric in metrics)], rows)
        + "<h2>Fisher matrix</h2>"
        + table(["", "Ωₘ", "S₈"], matrix)
        + f"<p>Multipoles {rounded_range(first.ell_min, first.ell_max)} on "
        f"{100 * first.f_sky:.3g} % of the sky: one tile.</p>"
    )
    return document("Forecast for Gaussian fields", body)


def rounded_range(low: float, high: float) -> str:
    """Show a range of numbers."""
    return f"{low:.0f} to {high:.0f}"


def skies_page(pairs: pd.DataFrame) -> str:
    """Show skies_pairs.csv: deviations of the spectra from theory, in per cent."""
    heads = ["bins", "deviation in %", "largest of a band in σ", "χ²", "bands"]
    heads += ["skies", "verdict"]
    rows = [
        [
            Cell(f"{row.bin_i} × {row.bin_j}", order=100 * row.bin_i + row.bin_j),
            measured(100 * row.deviation, 100 * row.deviation_error),
            number(row.largest_deviation_sigma, 2),
            number(row.chi2),
            number(row.bands),
            number(row.skies),
            word(row.verdict),
        ]
        for row in records(pairs)
    ]
    body = (
        "<p>How far the spectra of the skies at the fiducial cosmology lie above "
        "those of CAMB's lensing windows.</p>"
    )
    return document("Skies against theory", body + table(heads, rows))
