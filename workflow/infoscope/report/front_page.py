"""The first page of the report: what a study is, what it found, and what to doubt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from infoscope.report.html import (
    STYLE,
    Cell,
    measured,
    number,
    records,
    rounded,
    table,
    text,
    word,
    words,
)
from infoscope.report.tables import SYMBOLS, remarks

METRIC = "sigma_s8"
FEW_SEEDS = 3
SQUARE_DEGREES = 4 * math.pi * (180 / math.pi) ** 2
# The report gives its first page a narrow column beside the graph of the rules, and
# centres it, so that the top of a long one cannot be reached.
LAYOUT = """
.h-screen:has(> div > div > .prose .infoscope) { align-items: flex-start; }
div:has(> div > .prose .infoscope) { flex-direction: column; }
.prose:has(.infoscope) { max-width: 80em; }
.infoscope .columns { display: flex; gap: 12px 32px; flex-wrap: wrap; }
.infoscope .columns > div { flex: 1 1 17em; overflow-x: auto; }
.infoscope .columns > div:first-child { flex: 0 1 min-content; min-width: 24em; }
.infoscope th.group { border-bottom: 0; }
"""
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
SIMULATORS = {
    "lognormal": "The skies are lognormal. Spectra and the distribution of pixels are "
    "about right, but there are no filaments, haloes or voids as gravity makes them: "
    "what is found about peaks, voids and phases may be different in N-body skies.",
    "gaussian": "The skies are Gaussian: they hold nothing beyond their spectra, and "
    "tell nothing about what a network learns from non-Gaussian structures.",
    "nbody": "The skies are those of a particle-mesh code in a periodic box: "
    "structures larger than the box are missing, and small ones are smoothed.",
    "cosmogrid": "The skies are those of CosmoGridV1, N-body simulations whose small "
    "scales are limited by their softening and by pixels of nside 512.",
}


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
    doubts = "".join(f"<li>{line}</li>" for line in caveats(spec, widths, pairs))
    return f"""<style>{STYLE}{LAYOUT}</style>
<div class="infoscope">
<h1>{escape(spec["study"])}</h1>
<p>{_lead(spec)}</p>
<div class="columns"><div>
<h2>Verdicts: how much wider the posterior of S₈ becomes</h2>
{_verdicts(widths, fisher)}
{_claims(claims)}
</div><div>
<h2>Caveats</h2>
<ul>{doubts}</ul>
<h2>Study</h2>
{table(["", ""], [[text(key), text(fact)] for key, fact in facts(spec).items()])}
{_costs(costs)}
</div></div>
</div>
"""


def _lead(spec: Mapping[str, Any]) -> str:
    removed, estimators = len(spec["labels"]) - 1, len(spec["estimators"])
    return (
        f"What becomes of the posterior when a feature is removed from the maps: "
        f"{removed} degradation{_s(removed)}, {estimators} estimator{_s(estimators)}, "
        f"{spec['seeds']} training{_s(spec['seeds'])} of each, "
        f"{escape(spec['simulator']['name'])} skies. "
        f"One survey is a tile of {_area(spec):,.0f} deg²."
    )


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _area(spec: Mapping[str, Any]) -> float:
    """Area of a tile in square degrees."""
    return SQUARE_DEGREES / (12 * spec["survey"]["tile_nside"] ** 2)


def _verdicts(widths: pd.DataFrame, fisher: pd.DataFrame) -> str:
    """Tabulate σ(S_8) under each degradation, its ratio, and the verdict."""
    chosen = widths[widths.metric == METRIC]
    estimators = list(chosen.estimator.unique())
    rows = []
    for label, of_label in chosen.groupby("label", sort=False):
        row = [text(label)]
        for estimator in estimators:
            for found in records(of_label[of_label.estimator == estimator]):
                row += [
                    measured(found.value, found.error),
                    measured(found.ratio, found.ratio_error),
                    Cell(words([found.verdict, *remarks(found)])),
                ]
        rows.append(row)
    heads = ["degradation", *["σ(S₈)", "ratio", "verdict"] * len(estimators)]
    groups = [("", 1), *((name, 3) for name in estimators)]
    forecast = fisher.loc[fisher.prior == "box", METRIC].iloc[0]
    return (
        table(heads, rows, groups)
        + f"<p>If fields were Gaussian, all spectra would give "
        f"σ(S₈) = {rounded(forecast)}. Verdicts are tests at 5 %; the other metrics "
        "are in the category Results.</p>"
    )


def _claims(claims: pd.DataFrame) -> str:
    if claims.empty:
        return ""
    each = claims.drop_duplicates("claim")
    rows = [
        [text(row.claim), text(row.source), word(row.claim_verdict)]
        for row in records(each)
    ]
    return (
        '<h2>Claims</h2>\n<div class="sentences">'
        + table(["claim", "source", "verdict"], rows)
        + "</div>"
    )


def caveats(
    spec: Mapping[str, Any], widths: pd.DataFrame, pairs: pd.DataFrame
) -> list[str]:
    """List what speaks against the widths, in HTML.

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
    found = [_named(name, chosen[of_rows]) for name, of_rows in true.items()]
    others = widths[(widths.metric != METRIC) & widths.prior_limited]
    if not others.empty:
        names = ", ".join(SYMBOLS[name] for name in others.metric.unique())
        found.append(f"The prior limits some of these, whose ratios mislead: {names}.")
    tested = chosen[chosen.verdict != "reference"]
    undecided = int((tested.verdict == "undecided").sum())
    if undecided:
        found.append(
            f"{undecided} of {len(tested)} verdicts are undecided: more skies or "
            "trainings are needed to tell."
        )
    return [line for line in [*found, *_doubts(spec, pairs)] if line]


def _named(name: str, rows: pd.DataFrame) -> str:
    """Say of which posteriors a remark is true, if of any."""
    if rows.empty:
        return ""
    by_estimator = "; ".join(
        f"{escape(str(estimator))}: {', '.join(map(escape, of_one.label))}"
        for estimator, of_one in rows.groupby("estimator", sort=False)
    )
    return f"{words([name])} {REMARKS[name]} ({by_estimator})."


def _doubts(spec: Mapping[str, Any], pairs: pd.DataFrame) -> list[str]:
    """List what speaks against the whole study."""
    seeds, lines = spec["seeds"], [SIMULATORS[spec["simulator"]["name"]]]
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
        lines.append(escape(spec["nuisance"]))
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
    found = {
        "survey": survey["preset"] or f"n(z) from {SOURCES[survey['nz']]}",
        "area": f"{_area(spec):,.0f} deg² in a tile, {spec['tiles']} of {all_tiles} "
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
            f"{name} ({', '.join([own['kind']] * (own['kind'] != name))}"
            f"{', ' * (own['kind'] != name)}up to {own['steps']} steps)"
            for name, own in spec["estimators"].items()
        ),
        "trainings": f"{spec['seeds']} of each estimator and degradation",
        "seed": str(spec["seed"]),
    }  # fmt: skip
    return found


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


def _costs(costs: pd.DataFrame) -> str:
    """Tabulate what rules took, the most expensive first."""
    if costs.empty:
        return ""
    ordered = costs.sort_values("seconds", ascending=False)
    rows = [
        [
            text(row.rule),
            number(row.jobs),
            number(row.seconds / 3600, 2),
            number(row.memory_mb / 1000, 2),
        ]
        for row in records(ordered)
    ]
    total = [
        text("all"),
        number(costs.jobs.sum()),
        number(costs.seconds.sum() / 3600, 2),
        number(costs.memory_mb.max() / 1000, 2),
    ]
    heads = ["rule", "jobs", "hours", "largest memory, GB"]
    return (
        "<h2>Cost</h2>\n"
        + table(heads, [total, *rows])
        + "<p>Sums over jobs, which run side by side, from benchmark files: of a job "
        "that was resumed, the last run.</p>"
    )
