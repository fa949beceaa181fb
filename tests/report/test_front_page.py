"""The first page of the report has the results and their caveats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from infoscope.report.front_page import caveats, facts, first_page
from infoscope.report.tables import (
    claims_page,
    diagnostics_page,
    fisher_page,
    skies_page,
    widths_page,
)
from infoscope.stages import summarise_study
from infoscope.study import specs
from infoscope.study.config import parse_study

from .test_rendering import HOSTILE, Read

ROOT = Path(__file__).parents[2]


def spec(**changes: Any) -> dict[str, Any]:
    """Spec of the ci study, changed."""
    config = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text())
    study = parse_study(config | changes)
    # as a job reads it
    made = specs.canonical(specs.summarise(study, [0.3123, 0.5], 12))
    found: dict[str, Any] = json.loads(made)
    return found


def widths(**changes: Any) -> pd.DataFrame:
    """Widths of two degradations and two estimators; changes are of the last row."""
    rows = [
        {
            "degradation": name, "label": label, "estimator": estimator,
            "metric": metric, "value": 0.0312, "error": 0.0011, "ratio": 1.234,
            "ratio_error": 0.056, "p_value": 0.01, "verdict": verdict,
            "prior_fraction": 0.3, "prior_limited": False,
            "calibration": "calibrated", "training_verdict": "trained", "n_seeds": 2,
            "score": 2.5, "score_error": 0.1, "score_difference": -0.2,
            "score_difference_error": 0.03, "score_p_value": 0.9, "exceeds": None,
            "cause": None, "counterfactual": False, "same_as": None,
        }
        for name, label, verdict in (
            ("reference", "reference", "reference"), ("hostile", HOSTILE, "wider"),
        )
        for metric in ("sigma_omega_m", "sigma_s8")
        for estimator in ("cnn", "power_spectrum")
    ]  # fmt: skip
    rows[-1] |= changes
    return pd.DataFrame(rows)


CLAIMS = pd.DataFrame(
    {
        "claim": [HOSTILE, HOSTILE, "It costs."],
        "source": ["arXiv 2501.18333", "arXiv 2501.18333", None],
        "claim_verdict": ["contradicted", "contradicted", "supported"],
        "degradation": ["hostile", "hostile", None],
        "estimator": ["cnn", "cnn", None],
        "against_degradation": ["reference", "reference", None],
        "against_estimator": ["cnn", "cnn", None],
        "metric": ["sigma_s8", "area68", "cost of train_estimator"],
        "expected": ["wider", "equivalent within 0.05", "share above 0.5"],
        "ratio": [1.2, 1.3, 0.7],
        "ratio_error": [0.1, 0.1, np.nan],
        "p_support": [0.01, 0.9, np.nan],
        "p_contradict": [0.9, 0.001, np.nan],
        "verdict": ["supported", "contradicted", "supported"],
        "note": [HOSTILE, None, "4 of 25 jobs"],
    }
)
FISHER = pd.DataFrame(
    {
        "degradation": ["hostile"] * 2 + ["reference"] * 2,
        "prior": ["none", "box"] * 2,
        "sigma_s8": [0.0412, 0.0354, 0.0312, 0.0254],
        "sigma_omega_m": [0.07, 0.06, 0.06, 0.05],
        "fisher_omega_m_omega_m": [381.9] * 2 + [481.9] * 2,
        "fisher_omega_m_s8": [-201.5] * 2 + [-301.5] * 2,
        "fisher_s8_s8": [365.5] * 2 + [465.5] * 2,
        "ell_min": 6.14,
        "ell_max": 32,
        "modes": 35,
    }
)
PAIRS = pd.DataFrame(
    {
        "bin_i": [1, 1], "bin_j": [1, 2], "skies": 2, "bands": 4,
        "deviation": [0.012, -0.0713], "deviation_error": 0.003,
        "largest_deviation_sigma": 3.1, "chi2": 5.2, "verdict": ["agrees", "differs"],
    }
)  # fmt: skip
COSTS = pd.DataFrame(
    {
        "rule": ["simulate_skies", "train_estimator"],
        "jobs": [5, 4],
        "seconds": [1800.0, 7200.0],
        "memory_mb": [300.0, 1234.0],
    }
)


def test_first_page_has_verdicts_claims_and_costs() -> None:
    page = first_page(spec(), widths(), CLAIMS, FISHER, PAIRS, COSTS)
    read = Read(page)
    assert "script" not in read.tags and "b" not in read.tags
    row = ["0.0312 ± 0.0011", "1.234 ± 0.056", "wider"]
    assert [HOSTILE, *row, *row] in read.rows
    assert [HOSTILE, "arXiv 2501.18333", "contradicted"] in read.rows
    assert ["It costs.", "", "supported"] in read.rows
    assert ["all", "9", "2.5", "1.2"] in read.rows
    assert ["train_estimator", "4", "2", "1.2"] in read.rows
    assert "σ(S₈) = 0.0254" in read.data


def test_study_without_claims_or_costs() -> None:
    nothing = pd.DataFrame()
    page = first_page(spec(), widths(), nothing, FISHER, PAIRS, COSTS[:0])
    assert "Claims" not in page and "Cost" not in page
    assert "no claims" in claims_page(nothing)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"prior_limited": True}, "prior-limited"),
        ({"training_verdict": "falling"}, "falling"),
        ({"training_verdict": "overfit"}, "overfit"),
        ({"calibration": "corrected"}, "corrected"),
        ({"calibration": "withheld", "verdict": "withheld"}, "withheld"),
        ({"counterfactual": True}, "counterfactual"),
        ({"same_as": "reference"}, "same inputs"),
    ],
)
def test_caveats_name_the_widths(changes: dict[str, Any], word: str) -> None:
    def lines(table: pd.DataFrame) -> list[str]:
        return [f"{c.word} {c.text}" for c in caveats(spec(), table, PAIRS)]

    (line,) = (text for text in lines(widths(**changes)) if text.startswith(word))
    assert f"(power_spectrum: {HOSTILE})" in line and "cnn" not in line
    assert not any(text.startswith(word) for text in lines(widths()))
    page = widths_page(widths(**changes))
    assert sum(word in row[7:8] for row in Read(page).rows) == 1


def test_impossible_scores_are_the_first_caveat() -> None:
    cause = "training: reference / power_spectrum is not at its limit (…)"
    table = widths()
    chosen = (table.degradation == "hostile") & (table.estimator == "power_spectrum")
    columns = {"verdict": "impossible", "exceeds": "reference", "cause": cause}
    table.loc[chosen, list(columns)] = list(columns.values())
    first = caveats(spec(), table, PAIRS)[0]
    assert first.word == "impossible"
    assert f"(power_spectrum: {HOSTILE})" in first.text and cause in first.text
    rows = Read(widths_page(table)).rows
    score = ["2.50 ± 0.10", "−0.200 ± 0.030", "0.9", "reference", cause]
    assert [HOSTILE, "power_spectrum", *score] in rows
    assert [HOSTILE, "cnn", *score[:3], "", ""] in rows
    reshaped = caveats(spec(), widths(verdict="reshaped"), PAIRS)[0]
    assert reshaped.word == "reshaped" and f"{HOSTILE})" in reshaped.text


def test_caveats_of_the_whole_study() -> None:
    def text(table: pd.DataFrame, pairs: pd.DataFrame = PAIRS, **changes: Any) -> str:
        return "\n".join(c.text for c in caveats(spec(**changes), table, pairs))

    found = text(widths())
    assert "1 of 2 pairs of bins differ from CAMB's, by up to 7.1 %" in found
    assert "Skies are Gaussian" in found
    assert "one training" in found and "no baryonic feedback" in found
    assert "undecided" not in found and "prior" not in found
    assert "pairs of bins" not in text(widths(), PAIRS[:1])
    assert "1 of 2 verdicts are undecided" in text(widths(verdict="undecided"))
    assert "one training" not in text(widths(), training={"seeds": 3})
    assert "2 training runs" in text(widths(), training={"seeds": 2})
    assert "filaments" in text(widths(), simulator={"name": "lognormal"})
    limited = widths()
    limited.loc[limited.metric == "sigma_omega_m", "prior_limited"] = True
    assert "σ(Ωₘ)." in text(limited)


def test_simulators_and_estimators_that_the_page_does_not_know() -> None:
    changed = spec() | {
        "simulator": {"name": "hydro", "cells": 512},
        "caveat": HOSTILE,
        "estimators": {"scattering": {"kind": "wavelets"}, "other": {"kind": "other"}},
    }
    page = first_page(changed, widths(), CLAIMS, FISHER, PAIRS, COSTS)
    read = Read(page)
    assert HOSTILE in read.data and "b" not in read.tags
    assert ["simulator", "hydro"] in read.rows
    assert ["estimators", "scattering (wavelets); other"] in read.rows
    without = first_page(
        changed | {"caveat": ""}, widths(), CLAIMS[2:], FISHER, PAIRS, COSTS
    )
    assert "<li></li>" not in without


def test_no_baryons_are_missing_where_there_are_some() -> None:
    simulator = {"name": "cosmogrid", "root": "x", "baryons": "baryonified"}
    changed = spec() | {"simulator": simulator}
    assert not any("baryonic" in c.text for c in caveats(changed, widths(), PAIRS))


def test_facts_of_the_study() -> None:
    found = facts(spec())
    assert found["area"] == "1,600 deg² per patch, 12 of 12 patches per sky"
    assert found["bins"] == "2, mean redshifts 0.312, 0.5"
    assert found["resolution"] == (
        "skies of nside 16, flat patches of 16 × 16 pixels of 150 arcmin"
    )
    assert "24 mock observations on 2 skies" in found["observed"]
    assert "train 8 × 1" in found["grid"] and found["alignment"] == "none"
    assert "cnn (up to 20 steps)" in found["estimators"]
    other = facts(
        spec(
            survey={
                "preset": "kids_1000_like", "nside": 16,
                "patch": {"side_deg": 40, "pixels": 16}, "noise": "none",
                "intrinsic_alignment": {"a_ia": {"prior": [-2, 2], "fiducial": 0}},
            },
            estimators={"net": {"kind": "cnn", "steps": 7}},
            claims=[],
        )
    )  # fmt: skip
    assert other["survey"] == "kids_1000_like" and other["shape noise"] == "none"
    assert other["alignment"] == "NLA, A_IA from -2 to 2, η_IA 0"
    assert other["estimators"] == "net (cnn, up to 7 steps)"
    assert len(other["galaxies"].split(",")) == 5


def test_pages_of_tables() -> None:
    claims = Read(claims_page(CLAIMS))
    assert claims.tags.count("table") == 2 and claims.tags.count("script") == 1
    assert ["hostile / cnn", "reference / cnn", "σ(S₈)", "wider"] in [
        row[:4] for row in claims.rows
    ]
    assert ["", "", "cost of train_estimator", "share above 0.5", "0.7"] in [
        row[:5] for row in claims.rows
    ]
    skies = Read(skies_page(PAIRS))
    assert skies.rows[2][:2] == ["1 × 2", "−7.13 ± 0.30"]
    labels = {"hostile": HOSTILE, "reference": "reference"}
    fisher = Read(fisher_page(FISHER, labels))
    assert fisher.tags.count("script") == 1
    prior = "uniform, as in the study"
    assert [HOSTILE, prior, "0.0354", "0.06"] in fisher.rows
    assert ["reference", prior, "0.0254", "0.05"] in fisher.rows
    assert ["reference", "482", "−302", "466"] in fisher.rows
    assert "35 modes of one patch, with multipoles from 6 to 32." in fisher.data
    empty = Read(fisher_page(FISHER[:0], labels))
    assert "No degradation has a forecast" in empty.data


def test_diagnostics_have_nuisance_parameters_if_there_are_any() -> None:
    row = dict.fromkeys(
        (
            "train_nll", "validation_nll", "validation_error", "final_drop",
            "calibration_p_value", "power", "coverage68_tarp", "coverage68_omega_m",
            "coverage68_s8", "coverage68_sigma8", "information", "score",
        ),
        0.5,
    )  # fmt: skip
    row |= {"label": HOSTILE, "estimator": "cnn", "training_verdict": "falling"}
    row |= {"calibration": "corrected", "marginalised_over": None}
    table = pd.DataFrame([row | {"conditioned_on": np.nan}])
    assert "Nuisance" not in diagnostics_page(table)
    page = diagnostics_page(table.assign(marginalised_over="a_ia, eta_ia"))
    assert [HOSTILE, "a_ia, eta_ia", ""] in Read(page).rows


def test_costs_are_read_from_benchmarks(tmp_path: Path) -> None:
    head = "s\th:m:s\tmax_rss\n"
    (tmp_path / "train").mkdir()
    (tmp_path / "train/a.tsv").write_text(head + "3.5\t0:00:03\t100\n")
    (tmp_path / "train/b.tsv").write_text(head + "1.5\t0:00:01\t-\n")
    (tmp_path / "widths.tsv").write_text(head + "2\t0:00:02\tNA\n")
    (tmp_path / "plot_widths.tsv").write_text(head + "9\t0:00:09\t9\n")
    costs = summarise_study.read_costs(tmp_path).set_index("rule")
    assert list(costs.index) == ["train", "widths"]
    assert list(costs.loc["train"]) == [2, 5.0, 100.0]
    assert costs.seconds["widths"] == 2 and np.isnan(costs.memory_mb["widths"])
    assert summarise_study.read_costs(tmp_path / "none").empty


def test_specs_cannot_end_a_script_of_the_report() -> None:
    written = specs.canonical({"label": HOSTILE})
    assert "<" not in written and json.loads(written) == {"label": HOSTILE}
