"""The first page of the report: what a study is, its results and their caveats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from infoscope.report.rendering import (
    COUNTERFACTUAL,
    PRIOR_LIMITED,
    SAME_INPUTS,
    SYMBOLS,
    Row,
    groups,
    records,
    remarks,
    render,
)
from infoscope.report.rounding import rounded
from infoscope.vocabulary import (
    REFERENCE,
    Agreement,
    Calibration,
    Metric,
    NoiseOrder,
    Split,
    TrainingVerdict,
    Verdict,
)

METRIC = Metric.SIGMA_S8
FEW_SEEDS = 3
REMARKS = {
    PRIOR_LIMITED: "the prior narrows these posteriors, and their ratios understate "
    "the loss of information",
    TrainingVerdict.FALLING: "more steps may make these posteriors narrower",
    TrainingVerdict.OVERFIT: "more skies may make these posteriors narrower",
    Calibration.CORRECTED: "these posteriors were too narrow or too wide, and have "
    "been corrected",
    Calibration.WITHHELD: "these posteriors are not calibrated, and their widths are "
    "not shown",
    COUNTERFACTUAL: "these maps are not made from those of the reference, and may hold "
    "more information",
    SAME_INPUTS: "these estimators see the same numbers as on the reference, whose "
    "training runs are used",
}
RESHAPED = (
    "these posteriors are narrower in this direction only: their score shows no more "
    "information than that of the reference"
)
SOURCES = {"table": "tables", "fits": "a FITS file", "smail": "a formula"}


class Caveat(NamedTuple):
    """A reason to doubt some of the widths, or all of them.

    Attributes
    ----------
    text
        A sentence.
    word
        The remark that the sentence explains, if it explains one.
    """

    text: str
    word: str = ""


def first_page(
    spec: Mapping[str, Any],
    widths: pd.DataFrame,
    claims: pd.DataFrame,
    fisher: pd.DataFrame,
    pairs: pd.DataFrame,
    costs: pd.DataFrame,
) -> str:
    """Write the first page, as a part of a page in HTML.

    Parameters
    ----------
    spec
        Summary of the study from `specs.summarise`.
    widths, claims, fisher, pairs
        Tables of results; claims may be empty.
    costs
        Columns rule, jobs, seconds and memory_mb.
    """
    chosen = widths[widths.metric == METRIC]
    return render(
        "summary.html.jinja",
        spec=spec,
        area=_area(spec),
        estimators=list(chosen.estimator.unique()),
        widths=groups(chosen, "degradation"),
        forecast=_forecast(fisher),
        claims=groups(claims, ["claim", "claim_verdict"]),
        caveats=caveats(spec, widths, pairs),
        facts=facts(spec),
        costs=_costs(costs),
    )


def _area(spec: Mapping[str, Any]) -> str:
    """Area of a patch in square degrees."""
    return f"{spec['survey']['patch']['side_deg'] ** 2:,.0f}"


def _costs(costs: pd.DataFrame) -> list[Row]:
    """Costs of all rules together, then of each rule, the most expensive first."""
    if costs.empty:
        return []
    total: Row = {
        "rule": "all",
        "jobs": costs.jobs.sum(),
        "seconds": costs.seconds.sum(),
        "memory_mb": costs.memory_mb.max(),
    }
    return [total, *records(costs.sort_values("seconds", ascending=False))]


def _forecast(fisher: pd.DataFrame) -> float | None:
    """Width of the reference by the Fisher forecast, if it has one."""
    found = fisher[(fisher.degradation == REFERENCE) & (fisher.prior == "box")]
    return None if found.empty else float(found[METRIC].iloc[0])


def caveats(
    spec: Mapping[str, Any], widths: pd.DataFrame, pairs: pd.DataFrame
) -> list[Caveat]:
    """List the caveats, those of single widths first.

    Parameters
    ----------
    spec, widths, pairs
        As for `first_page`.
    """
    chosen = widths[widths.metric == METRIC]
    found = [
        Caveat(
            f"these scores are above those of maps that hold everything in them "
            f"({_named(rows)}): do not rely on their ratios. Cause: {cause}.",
            Verdict.IMPOSSIBLE,
        )
        for cause, rows in chosen[chosen.cause.notna()].groupby("cause", sort=False)
    ]
    reshaped = chosen[chosen.verdict == Verdict.RESHAPED]
    if not reshaped.empty:
        found.append(Caveat(f"{RESHAPED} ({_named(reshaped)}).", Verdict.RESHAPED))
    for word, meaning in REMARKS.items():
        marked = chosen[[word in remarks(row) for row in records(chosen)]]
        if not marked.empty:
            found.append(Caveat(f"{meaning} ({_named(marked)}).", word))
    return found + [Caveat(line) for line in _of_metrics(widths) + _of_all(spec, pairs)]


def _named(rows: pd.DataFrame) -> str:
    """Labels of degradations, by estimator."""
    return "; ".join(
        f"{estimator}: {', '.join(of_one.label)}"
        for estimator, of_one in rows.groupby("estimator", sort=False)
    )


def _of_metrics(widths: pd.DataFrame) -> list[str]:
    """Caveats of metrics and verdicts as a whole."""
    lines = []
    limited = widths[(widths.metric != METRIC) & widths.prior_limited]
    if not limited.empty:
        names = ", ".join(SYMBOLS[name] for name in limited.metric.unique())
        lines.append(
            "The prior limits some widths in these metrics, and their ratios are "
            f"misleading: {names}."
        )
    verdicts = widths[widths.metric == METRIC].verdict
    tested = verdicts[verdicts != Verdict.REFERENCE]
    undecided = int((tested == Verdict.UNDECIDED).sum())
    if undecided:
        lines.append(
            f"{undecided} of {len(tested)} verdicts are undecided: more skies or "
            "training runs are needed to decide."
        )
    return lines


def _of_all(spec: Mapping[str, Any], pairs: pd.DataFrame) -> list[str]:
    """Caveats of all results."""
    lines = [spec["caveat"]]
    differing = int((pairs.verdict == Agreement.DIFFERS).sum())
    if differing:
        worst = 100 * pairs.deviation.abs().max()
        lines.append(
            f"The spectra of {differing} of {len(pairs)} pairs of bins differ from "
            f"CAMB's, by up to {rounded(worst, 2)} %: the skies do not match theory."
        )
    if spec["simulator"].get("baryons") != "baryonified":
        lines.append("There is no baryonic feedback.")
    lines.append(
        "Maps are the true convergence in the Born approximation, without "
        "reconstruction from shear, source clustering, or errors in redshifts or "
        "shapes."
    )
    seeds = spec["seeds"]
    if seeds == 1:
        lines.append(
            "There is one training run per estimator and degradation: the scatter "
            "between training runs is unknown, and errors do not include it."
        )
    elif seeds < FEW_SEEDS:
        lines.append(
            f"There are {seeds} training runs per estimator and degradation: their "
            "scatter is pooled over the degradations of an estimator."
        )
    lines.append(
        "Errors do not include the scatter due to another set of training skies."
    )
    lines.append(spec["nuisance"])
    return [line for line in lines if line]


def facts(spec: Mapping[str, Any]) -> dict[str, str]:
    """List the properties of a study, as text."""
    survey, grid, simulator = spec["survey"], spec["grid"], spec["simulator"]
    patch = survey["patch"]
    pixel = 60 * patch["side_deg"] / patch["pixels"]
    splits = ", ".join(
        f"{name} {grid[name]['cosmologies']} × {grid[name]['skies']}"
        for name in (Split.TRAIN, Split.VALIDATION, Split.TEST)
    )
    skies = grid["fiducial"]["skies"]
    prior, fiducial = spec["cosmology"]["prior"], spec["cosmology"]["fiducial"]
    source = SOURCES.get(survey["nz"], survey["nz"])
    shells = ""
    if "shell_width_mpc" in simulator:
        shells = f", shells of {simulator['shell_width_mpc']:g} Mpc"
    return {
        "survey": survey["preset"] or f"n(z) from {source}",
        "area": f"{_area(spec)} deg² per patch, {spec['tiles']} of "
        f"{spec['n_patch']} patches per sky",
        "bins": f"{len(spec['mean_z'])}, mean redshifts {_list(spec['mean_z'])}",
        "galaxies": f"{_list(survey['n_gal_arcmin2'])} per arcmin² and bin",
        "shape noise": _noise(survey),
        **spec["effects"],
        "resolution": f"skies of nside {survey['nside']}, flat patches of "
        f"{patch['pixels']} × {patch['pixels']} pixels of {pixel:.3g} arcmin",
        "simulator": f"{simulator['name']}{shells}",
        "prior": f"uniform, Ωₘ {_range(prior['omega_m'])}, "
        f"σ₈ {_range(prior['sigma_8'])}",
        "observed": f"Ωₘ = {fiducial['omega_m']:g}, σ₈ = {fiducial['sigma_8']:g}: "
        f"{skies * spec['tiles']} mock observations on {skies} skies",
        "grid": f"cosmologies × skies: {splits}",
        "estimators": "; ".join(
            _estimator(name, own) for name, own in spec["estimators"].items()
        ),
        "training runs": f"{spec['seeds']} per estimator and degradation",
        "seed": str(spec["seed"]),
    }


def _estimator(name: str, own: Mapping[str, Any]) -> str:
    notes = [own["kind"]] if own["kind"] != name else []
    notes += [f"up to {own['steps']} steps"] if "steps" in own else []
    return f"{name} ({', '.join(notes)})" if notes else name


def _noise(survey: Mapping[str, Any]) -> str:
    if survey["noise"] == NoiseOrder.NONE:
        return "none"
    return f"σₑ = {_list(survey['sigma_e'])}, added {survey['noise']} operations"


def _list(values: float | Sequence[float]) -> str:
    some = values if isinstance(values, Sequence) else [values]
    return ", ".join(f"{value:.3g}" for value in some)


def _range(ends: Sequence[float]) -> str:
    low, high = ends
    return f"{low:g} to {high:g}"
