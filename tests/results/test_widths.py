import h5py
import numpy as np
import pandas as pd
import pytest

from infoscope.errors import InfoscopeError
from infoscope.inference.calibration import CURVES, LEVELS
from infoscope.results.comparison import SeedScatter, compare
from infoscope.results.widths import measure, measure_curves
from infoscope.stages import measure_learning_curves
from infoscope.stages import measure_widths as stage
from infoscope.vocabulary import METRICS, Calibration

from .test_comparison import TRAINING, measurement

PRIOR = np.array([0.24, 0.09, 0.2, 0.15, 0.2, 7.0, 0.0])


def measured(rows, margin=0.05, bounds=None):
    table = measure(rows, PRIOR, margin, bounds or {})
    return table.set_index(["degradation", "metric"])


def test_has_a_row_for_each_measurement_and_metric():
    rows = [measurement("reference"), measurement("cut", 2.0)]
    table = measure(rows, PRIOR, 0.05, {})
    assert list(table.metric) == 2 * list(METRICS)
    assert list(table.degradation) == ["reference"] * 7 + ["cut"] * 7
    cut = table[table.degradation == "cut"].set_index("metric")
    assert cut.ratio["sigma_s8"] == pytest.approx(2)
    assert cut.verdict["sigma_s8"] == "wider"
    assert set(table.verdict[table.degradation == "reference"]) == {"reference"}


def test_more_information_is_narrower():
    rows = [measurement("reference"), measurement("cut", 2.0, sky_scatter=0.01)]
    # every metric of the toy doubles
    table = measured(rows)
    assert table.verdict["cut", "information"] == "narrower"
    assert table.verdict["cut", "fom"] == "narrower"
    assert table.verdict["cut", "area95"] == "wider"


def test_errors_have_two_parts():
    rows = [
        measurement("reference", seed_scatter=0.02),
        measurement("cut", 2.0, seed_scatter=0.02),
    ]
    row = measured(rows).loc["cut", "sigma_s8"]
    assert row.error == pytest.approx(np.hypot(row.error_seeds, row.error_skies))
    # ±0.02 are a standard deviation of 0.02 √2, that of the mean of two is 0.02
    assert row.error_seeds / row.value == pytest.approx(0.02, rel=0.01)
    assert row.error_skies / row.value == pytest.approx(0.1, rel=0.3)


def test_verdicts_are_corrected_for_their_number():
    """A deviation of 2.5 σ is significant alone, but not among many."""
    shift = 0.025
    rows = [measurement("reference", seed_scatter=0.0, sky_scatter=0.0)]
    for i in range(1, 20):
        row = measurement(f"cut_{i}", 1 + shift, sky_scatter=0.0)
        noise = np.random.default_rng(i).standard_normal((1, 200, 1))
        noise /= noise.std(ddof=1)
        row.bootstrap[:] *= np.exp(0.01 * noise)
        rows.append(row)
    assert measured(rows[:2]).verdict["cut_1", "sigma_s8"] == "wider"
    many = measured(rows)
    assert many.verdict["cut_1", "sigma_s8"] == "equivalent"
    p_values = [table.p_value["cut_1", "sigma_s8"] for table in (many, measured(rows))]
    assert p_values[0] == p_values[1] < 0.05


def test_withheld_widths_are_not_shown():
    rows = [
        measurement("reference"),
        measurement("bad", 2.0, calibration=Calibration.WITHHELD),
        measurement("corrected", 2.0, calibration=Calibration.CORRECTED),
    ]
    table = measured(rows)
    numbers = ["value", "error", "ratio", "ratio_error", "prior_fraction", "p_value"]
    assert table.loc["bad"][numbers].isna().all(axis=None)
    assert set(table.loc["bad"].verdict) == {"withheld"}
    assert set(table.loc["bad"].calibration) == {"withheld"}
    assert table.value["corrected", "sigma_s8"] > 0
    assert set(table.loc["corrected"].calibration) == {"corrected"}


def test_nothing_is_compared_with_a_withheld_reference():
    rows = [
        measurement("reference", calibration=Calibration.WITHHELD),
        measurement("cut", 2.0),
    ]
    table = measured(rows)
    assert table.loc["cut"].ratio.isna().all()
    assert set(table.loc["cut"].verdict) == {"withheld"}
    assert table.value["cut", "sigma_s8"] > 0


def test_prior_limits_regions_where_it_limits_a_parameter():
    # the toy has σ(Ω_m) = 0.04 and σ(σ_8) = 0.08
    table = measured([measurement("reference"), measurement("cut", 2.0)])
    limited = table.prior_limited
    assert not limited["reference"].any()
    assert limited["cut", "sigma_omega_m"] and limited["cut", "area95"]
    assert not limited["cut", "sigma_s8"] and not limited["cut", "information"]
    fraction = table.prior_fraction
    assert fraction["cut", "sigma_omega_m"] == pytest.approx(0.08 / 0.09, rel=1e-3)


def test_ensemble_is_compared_with_single_training_runs():
    row = measurement("reference")
    row.ensemble[:] *= 0.9
    found = measured([row]).loc["reference", "sigma_s8"]
    assert found.ensemble_ratio == pytest.approx(0.9)
    # the resamplings are the same
    assert found.ensemble_ratio_error == pytest.approx(0, abs=1e-12)


def test_needs_the_reference():
    with pytest.raises(InfoscopeError, match="reference"):
        measure([measurement("cut")], PRIOR, 0.05, {})


def test_convergence_is_a_word():
    rows = [measurement("reference"), measurement("cut", final_drop=0.03)]
    table = measured(rows)
    assert set(table.loc["reference"].training_verdict) == {"trained"}
    assert set(table.loc["cut"].training_verdict) == {"falling"}


def test_curves_have_the_errors_of_the_table():
    rows = [
        measurement("reference", 1.5, seed_scatter=0.1),
        measurement("reference", seed_scatter=0.02),
        measurement("reference", estimator="power_spectrum"),
    ]
    trained_with = [("skies", 2), ("skies", 4), ("skies", 4)]
    curves = measure_curves(rows, trained_with)
    assert list(curves.axis) == ["skies"] * 3
    assert list(curves.number) == [2, 4, 4]
    assert list(curves.estimator) == ["cnn", "cnn", "power_spectrum"]
    assert list(curves.training_verdict) == ["trained"] * 3
    table = measure(rows, PRIOR, 0.05, {})
    for metric in ("sigma_s8", "area68"):
        part = table[table.metric == metric]
        np.testing.assert_allclose(curves[metric], part.value)
        np.testing.assert_allclose(curves[f"{metric}_error"], part.error)


def test_a_training_on_several_curves_counts_once():
    less, whole = (measurement("a", seed_scatter=s) for s in (0.1, 0.02))
    once = measure_curves([less, whole], [("skies", 2), ("skies", 4)])
    rows = [less, whole, whole]
    twice = measure_curves(rows, [("skies", 2), ("skies", 4), ("steps", 8)])
    assert once.sigma_s8_error[0] == twice.sigma_s8_error[0]
    scatter = SeedScatter([less, whole])
    assert compare(less, whole, "sigma_s8", scatter).dof == pytest.approx(2)


def test_curves_need_a_number_for_each_row():
    with pytest.raises(ValueError):
        measure_curves([measurement("reference")], [])


def write(path, row):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        width = np.concatenate([row.width, row.ensemble[None]])
        resampled = [*row.bootstrap, row.ensemble_bootstrap]
        n = len(width)
        file["width"], file["bootstrap"] = width, np.stack(resampled)
        file["widths"] = np.ones((n, 10, len(METRICS)))
        file["coverage"] = np.tile(LEVELS[:, None], (n, 1, len(CURVES)))
        file["power"], file["score"] = np.ones(n), np.full(n, 2.5)
        file["sky_score"] = np.concatenate([row.score, row.score.mean(0)[None]])
        file["sky"], file["cosmology"] = row.sky, row.cosmology
        file["information"] = np.full(n, 2.6)
        file.attrs["training"] = [*map(str, range(n - 1)), "ensemble"]
        file.attrs["fiducial_skies"] = 2
        file.attrs["calibration_p_value"] = 0.5
        file.attrs["marginalised_over"], file.attrs["conditioned_on"] = "a_ia, h", ""
        for name in ("degradation", "estimator", "kind", "calibration", "same_as"):
            file.attrs[name] = str(getattr(row, name))
        file.attrs.update(vars(row.training))
    return path


def test_learning_curves_end_with_the_whole_training(tmp_path):
    budgets = ("cosmologies_50", "steps_25", "steps_50")
    less = [
        write(tmp_path / f"{name}/{budget}.h5", measurement("cut", 2, estimator=name))
        for name in ("cnn", "power_spectrum")
        for budget in budgets
    ]
    whole = [
        write(tmp_path / f"{name}.h5", measurement("cut", estimator=name))
        for name in ("cnn", "power_spectrum")
    ]
    numbers = {"cosmologies": 8, "cosmologies_50": 4}
    spec = {
        "labels": {"cut": "Cut"},
        "numbers": {
            "cnn": numbers | {"steps": 30, "steps_25": 8, "steps_50": 15},
            "power_spectrum": numbers | {"steps": 60, "steps_25": 15, "steps_50": 30},
        },
    }
    measure_learning_curves.run(spec, less, whole, tmp_path / "learning_curves.csv")
    table = pd.read_csv(tmp_path / "learning_curves.csv")
    assert set(table.label) == {"Cut"}
    curves = {
        key: list(zip(rows.number, rows.sigma_s8.round(3), strict=True))
        for key, rows in table.sort_values("number").groupby(["estimator", "axis"])
    }
    assert curves == {
        ("cnn", "cosmologies"): [(4, 0.1), (8, 0.05)],
        ("cnn", "steps"): [(8, 0.1), (15, 0.1), (30, 0.05)],
        ("power_spectrum", "cosmologies"): [(4, 0.1), (8, 0.05)],
        ("power_spectrum", "steps"): [(15, 0.1), (30, 0.1), (60, 0.05)],
    }


def test_stage_writes_all_tables(tmp_path):
    rows = [
        measurement("reference"),
        measurement("cut", 2.0),
        measurement("bad", calibration=Calibration.WITHHELD),
    ]
    paths = [write(tmp_path / f"{row.degradation}.h5", row) for row in rows]
    spec = {
        "labels": {"reference": "Reference", "cut": "Cut", "bad": "Bad"},
        "prior": {"omega_m": [0.15, 0.45], "sigma_8": [0.5, 1.2]},
        "equivalence": 0.05,
        "bounds": {"cnn": {"pairs": [["cut", "reference"]], "sees_tiles": True}},
        "counterfactuals": ["bad"],
    }
    stage.run(spec, paths, tmp_path / "widths.csv")
    explained = pd.read_csv(tmp_path / "columns.csv")
    tables = {}
    for name in ("widths", "mocks", "diagnostics"):
        table = tables[name] = pd.read_csv(tmp_path / f"{name}.csv")
        part = explained[explained.table == f"{name}.csv"]
        assert list(part.column) == list(table)
        assert list(dict.fromkeys(table.label)) == ["Reference", "Cut", "Bad"]
    mocks = tables["mocks"]
    assert len(mocks) == 3 * 3 * 10
    assert list(mocks.sky[:10]) == [0] * 5 + [1] * 5
    assert list(mocks.tile[:10]) == 2 * list(range(5))
    assert set(mocks.training) == {"0", "1", "ensemble"}
    shown = mocks.set_index("degradation")[list(METRICS)].notna()
    assert shown.loc["cut"].all(axis=None) and not shown.loc["bad"].any(axis=None)
    diagnostics = tables["diagnostics"].set_index("degradation")
    assert diagnostics.coverage68_tarp["cut"] == pytest.approx(0.68)
    assert list(diagnostics.calibration) == [
        Calibration.CALIBRATED,
        Calibration.CALIBRATED,
        Calibration.WITHHELD,
    ]
    assert diagnostics.train_nll["cut"] == TRAINING["train_nll"]
    # 0.3 × 0.7, and the standard deviation of a uniform distribution
    widths = tables["widths"].set_index(["degradation", "metric"])
    of_prior = widths.value / widths.prior_fraction
    assert of_prior["cut", "area68"] == pytest.approx(0.683 * 0.21, rel=1e-3)
    assert of_prior["cut", "sigma_omega_m"] == pytest.approx(0.3 / 12**0.5, rel=1e-3)
