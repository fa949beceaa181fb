import h5py
import numpy as np
import pandas as pd
import pytest

from infoscope.errors import InfoscopeError
from infoscope.stages import learning_curves
from infoscope.stages import widths as stage
from infoscope.widths import Measurement, Training, columns, measure, measure_curves

CONVERGED = Training(-1.0, -0.95, 0.01, 0.0)


def measurement(
    degradation,
    scale=1.0,
    n_seeds=2,
    seed_scatter=0.0,
    sky_scatter=0.1,
    training=CONVERGED,
    estimator="cnn",
):
    rng = np.random.default_rng(3)  # shared skies: the same for all degradations
    skies = 1 + sky_scatter * rng.standard_normal((1, 40, 1))
    seeds = 1 + seed_scatter * np.linspace(-1, 1, n_seeds) if n_seeds > 1 else [1.0]
    width = scale * np.outer(seeds, [0.05, 0.04, 0.08, 0.01, 100.0])
    return Measurement(
        degradation=degradation,
        label=degradation.title(),
        estimator=estimator,
        kind=estimator,
        n_mocks=10,
        width=width,
        bootstrap=width[:, None] * skies,
        training=training,
    )


def test_ratios_are_paired():
    table = measure([measurement("cut", 2.0), measurement("reference")], 0.3)
    assert list(table.degradation) == ["cut", "reference"]
    cut = table.iloc[0]
    assert cut.sigma_s8_ratio == pytest.approx(2)
    assert cut.sigma_s8_ratio_error == pytest.approx(0, abs=1e-12)
    assert cut.sigma_s8_error / cut.sigma_s8 == pytest.approx(0.1, rel=0.3)
    assert cut.prior_fraction_omega_m == pytest.approx(0.08 / (0.3 / np.sqrt(12)))


def test_seed_scatter_is_pooled():
    rows = [
        measurement("reference", seed_scatter=0.0, sky_scatter=0.0),
        measurement("cut", 2.0, seed_scatter=0.1, sky_scatter=0.0),
    ]
    table = measure(rows, 0.3)
    own = 2 * 0.1**2  # variance of ±0.1 with one degree of freedom
    pooled = own / 2
    relative = table.sigma_s8_error / table.sigma_s8
    np.testing.assert_allclose(relative, np.sqrt([pooled / 2, own / 2]))
    expected = 2 * np.sqrt((pooled + own) / 2)
    assert table.sigma_s8_ratio_error[1] == pytest.approx(expected)
    assert table.sigma_s8_ratio_error[0] == 0


def test_one_seed_has_no_seed_error():
    table = measure([measurement("reference", n_seeds=1, sky_scatter=0.0)], 0.3)
    assert table.n_seeds[0] == 1
    assert table.sigma_s8_error[0] == pytest.approx(0)


def test_needs_the_reference():
    with pytest.raises(InfoscopeError, match="reference"):
        measure([measurement("cut")], 0.3)


def test_columns_are_all_explained():
    table = measure([measurement("reference")], 0.3)
    assert list(columns().column) == list(table.columns)


def test_convergence_has_its_numbers_and_a_word():
    trainings = (
        CONVERGED,
        Training(-1.0, -0.95, 0.01, 0.03),
        Training(-1.0, -0.85, 0.02, 0.0),
        Training(-1.0, -0.85, 0.06, 0.0),
    )
    names = ("reference", "a", "b", "c")
    rows = [
        measurement(name, training=training)
        for name, training in zip(names, trainings, strict=True)
    ]
    table = measure(rows, 0.3)
    assert list(table.convergence) == ["converged", "falling", "overfit", "converged"]
    for column in ("train_nll", "validation_nll", "validation_error", "final_drop"):
        assert list(table[column]) == [getattr(t, column) for t in trainings]


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
    assert list(curves.convergence) == ["converged"] * 3
    table = measure(rows, 0.3)
    for metric in ("sigma_s8", "area68"):
        for column in (metric, f"{metric}_error"):
            np.testing.assert_allclose(curves[column], table[column])


def test_curves_need_a_number_for_each_row():
    with pytest.raises(ValueError):
        measure_curves([measurement("reference")], [])


def write(path, row):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["widths"] = np.ones((2, 10, 5))
        file["width"], file["bootstrap"] = row.width, row.bootstrap
        for name in ("degradation", "estimator", "kind"):
            file.attrs[name] = getattr(row, name)
        file.attrs.update(vars(row.training))
    return path


def test_learning_curves_end_with_the_whole_training(tmp_path):
    lessons = ("cosmologies_50", "steps_25", "steps_50")
    less = [
        write(tmp_path / f"{name}/{lesson}.h5", measurement("cut", 2, estimator=name))
        for name in ("cnn", "power_spectrum")
        for lesson in lessons
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
    learning_curves.run(spec, less, whole, tmp_path / "learning_curves.csv")
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


def test_stage_writes_both_tables(tmp_path):
    paths = [
        write(tmp_path / f"{row.degradation}.h5", row)
        for row in (measurement("reference"), measurement("cut", 2.0))
    ]
    spec = {
        "labels": {"reference": "Reference", "cut": "Cut"},
        "prior": {"omega_m": [0.15, 0.45], "sigma_8": [0.5, 1.2]},
    }
    stage.run(spec, paths, tmp_path / "widths.csv")
    table = pd.read_csv(tmp_path / "widths.csv")
    assert list(table.degradation) == ["reference", "cut"]
    assert list(table.label) == ["Reference", "Cut"]
    assert list(pd.read_csv(tmp_path / "widths_columns.csv").column) == list(table)
