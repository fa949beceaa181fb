"""The first page of the report: what a study is, what it found, and what to doubt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from infoscope.report.rendering import SYMBOLS, Row, groups, records, render
from infoscope.report.rounding import rounded

METRIC = "sigma_s8"
FEW_SEEDS = 3
SQUARE_DEGREES = 4 * math.pi * (180 / math.pi) ** 2
REMARKS = {
    "prior-limited": "the prior narrows these posteriors, and their ratios understate "
    "what was lost",
    "falling": "more steps may make these posteriors narrower",
    "overfit": "more skies may make these posteriors narrower",
    "corrected": "these posteriors were over- or underconfident, and were tempered "
    "until they were not",
    "withheld": "these posteriors are not calibrated, and nothing is said of their "
    "widths",
}
SOURCES = {"table": "tables", "fits": "a FITS file", "smail": "a formula"}


class Caveat(NamedTuple):
    """What speaks against some widths, or all of them.

    Attributes
    ----------
    text
        A sentence.
    word
        The remark on widths that it explains, if it does.
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
        What `specs.summarise` says of the study.
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
        widths=groups(chosen, "label"),
        forecast=fisher.loc[fisher.prior == "box", METRIC].iloc[0],
        claims=groups(claims, ["claim", "claim_verdict"]),
        caveats=caveats(spec, widths, pairs),
        facts=facts(spec),
        costs=_costs(costs),
    )


def _area(spec: Mapping[str, Any]) -> str:
    """Area of a tile in square degrees."""
    return f"{SQUARE_DEGREES / (12 * spec['survey']['tile_nside'] ** 2):,.0f}"


def _costs(costs: pd.DataFrame) -> list[Row]:
    """List what all rules took, and each, the most expensive first."""
    if costs.empty:
        return []
    total: Row = {
        "rule": "all",
        "jobs": costs.jobs.sum(),
        "seconds": costs.seconds.sum(),
        "memory_mb": costs.memory_mb.max(),
    }
    return [total, *records(costs.sort_values("seconds", ascending=False))]


def caveats(
    spec: Mapping[str, Any], widths: pd.DataFrame, pairs: pd.DataFrame
) -> list[Caveat]:
    """List what speaks against the widths.

    Parameters
    ----------
    spec
        As of `first_page`.
    widths, pairs
        As of `first_page`.
    """
    chosen = widths[widths.metric == METRIC]
    true = {
        "prior-limited": chosen.prior_limited,
        "falling": chosen.training_verdict.str.contains("falling"),
        "overfit": chosen.training_verdict.str.contains("overfit"),
        "corrected": chosen.calibration == "corrected",
        "withheld": chosen.calibration == "withheld",
    }
    found = [
        Caveat(f"{REMARKS[name]} ({_named(chosen[of_rows])}).", name)
        for name, of_rows in true.items()
        if of_rows.any()
    ]
    others = widths[(widths.metric != METRIC) & widths.prior_limited]
    lines = []
    if not others.empty:
        names = ", ".join(SYMBOLS[name] for name in others.metric.unique())
        lines.append(f"The prior limits some of these, whose ratios mislead: {names}.")
    tested = chosen[chosen.verdict != "reference"]
    undecided = int((tested.verdict == "undecided").sum())
    if undecided:
        lines.append(
            f"{undecided} of {len(tested)} verdicts are undecided: more skies or "
            "trainings are needed to tell."
        )
    return [*found, *map(Caveat, [*lines, *_doubts(spec, pairs)])]


def _named(rows: pd.DataFrame) -> str:
    """Name posteriors by their estimators."""
    return "; ".join(
        f"{estimator}: {', '.join(of_one.label)}"
        for estimator, of_one in rows.groupby("estimator", sort=False)
    )


def _doubts(spec: Mapping[str, Any], pairs: pd.DataFrame) -> list[str]:
    """List what speaks against the whole study."""
    seeds = spec["seeds"]
    lines = [spec["caveat"]] if spec["caveat"] else []
    differing = int((pairs.verdict == "differs").sum())
    if differing:
        worst = 100 * pairs.deviation.abs().max()
        lines.append(
            f"The spectra of {differing} of {len(pairs)} pairs of bins differ from "
            f"CAMB's, by up to {rounded(worst, 2)} %: skies are not what theory says."
        )
    if spec["simulator"].get("baryons") != "baryonified":
        lines.append("There is no baryonic feedback.")
    lines.append(
        "Maps are the convergence itself, in the Born approximation: no reconstruction "
        "from shear, no source clustering, no errors of redshifts or shapes."
    )
    if seeds == 1:
        lines.append(
            "There is one training of each estimator: how much trainings scatter is "
            "not known, and errors leave it out."
        )
    elif seeds < FEW_SEEDS:
        lines.append(
            f"There are {seeds} trainings of each: their scatter is pooled over the "
            "degradations of an estimator."
        )
    lines.append("Errors leave out the scatter of another set of training skies.")
    if spec["nuisance"]:
        lines.append(spec["nuisance"])
    return lines


def facts(spec: Mapping[str, Any]) -> dict[str, str]:
    """List what a reader should know of a study, as text."""
    survey, grid, simulator = spec["survey"], spec["grid"], spec["simulator"]
    side = survey["nside"] // survey["tile_nside"]
    pixel = math.sqrt(SQUARE_DEGREES / (12 * survey["nside"] ** 2)) * 60
    all_tiles = 12 * survey["tile_nside"] ** 2
    splits = {
        name: f"{grid[name]['cosmologies']} × {grid[name]['skies']}"
        for name in ("train", "validation", "test")
    }
    mocks = grid["fiducial"]["skies"] * spec["tiles"]
    prior, fiducial = spec["cosmology"]["prior"], spec["cosmology"]["fiducial"]
    source = SOURCES.get(survey["nz"], survey["nz"])
    found = {
        "survey": survey["preset"] or f"n(z) from {source}",
        "area": f"{_area(spec)} deg² in a tile, {spec['tiles']} of {all_tiles} "
        "tiles of a sky",
        "bins": f"{len(spec['mean_z'])}, mean redshifts {_list(spec['mean_z'])}",
        "galaxies": f"{_list(survey['n_gal_arcmin2'])} per arcmin² and bin",
        "shape noise": _noise(survey),
        "alignment": _alignment(survey["intrinsic_alignment"]),
        "resolution": f"nside {survey['nside']}, pixels of {pixel:.3g} arcmin, tiles "
        f"of {side} × {side} pixels",
        "simulator": simulator["name"]
        + (f", shells of {simulator['shell_width_mpc']:g} Mpc"
           if "shell_width_mpc" in simulator else ""),
        "prior": "uniform, "
        f"Ωₘ {_range(prior['omega_m'])}, σ₈ {_range(prior['sigma_8'])}",
        "observed": f"Ωₘ = {fiducial['omega_m']:g}, σ₈ = {fiducial['sigma_8']:g}: "
        f"{mocks} mock observations on {grid['fiducial']['skies']} skies",
        "grid": "cosmologies × skies: "
        + ", ".join(f"{name} {size}" for name, size in splits.items()),
        "estimators": "; ".join(
            _estimator(name, own) for name, own in spec["estimators"].items()
        ),
        "trainings": f"{spec['seeds']} of each estimator and degradation",
        "seed": str(spec["seed"]),
    }  # fmt: skip
    return found


def _estimator(name: str, own: Mapping[str, Any]) -> str:
    notes = [own["kind"]] if own["kind"] != name else []
    notes += [f"up to {own['steps']} steps"] if "steps" in own else []
    return f"{name} ({', '.join(notes)})" if notes else name


def _noise(survey: Mapping[str, Any]) -> str:
    if survey["noise"] == "none":
        return "none"
    return f"σₑ = {_list(survey['sigma_e'])}, added {survey['noise']} operations"


def _alignment(alignment: Mapping[str, Any]) -> str:
    def one(value: Any) -> str:
        if isinstance(value, Mapping):
            return f"from {_range(value['prior'])}"
        return f"{value:g}"

    if alignment["a_ia"] == 0:
        return "none"
    return f"NLA, A_IA {one(alignment['a_ia'])}, η_IA {one(alignment['eta_ia'])}"


def _list(values: float | Sequence[float]) -> str:
    some = values if isinstance(values, Sequence) else [values]
    return ", ".join(f"{value:.3g}" for value in some)


def _range(ends: Sequence[float]) -> str:
    low, high = ends
    return f"{low:g} to {high:g}"
