import h5py
import numpy as np
import pandas as pd
import pytest

from infoscope.errors import InfoscopeError
from infoscope.stages import widths as stage
from infoscope.widths import Measurement, Training, columns, measure


def measurement(degradation, scale=1.0, n_seeds=2, seed_scatter=0.0, sky_scatter=0.1):
    rng = np.random.default_rng(3)  # shared skies: the same for all degradations
    skies = 1 + sky_scatter * rng.standard_normal((1, 40, 1))
    seeds = 1 + seed_scatter * np.linspace(-1, 1, n_seeds) if n_seeds > 1 else [1.0]
    width = scale * np.outer(seeds, [0.05, 0.04, 0.08, 0.01, 100.0])
    return Measurement(
        degradation=degradation,
        label=degradation.title(),
        estimator="cnn",
        kind="cnn",
        n_mocks=10,
        width=width,
        bootstrap=width[:, None] * skies,
        training=Training(-1.0, -0.5, 0.01, 0.0),
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


def test_stage_writes_both_tables(tmp_path):
    paths = []
    for row in (measurement("reference"), measurement("cut", 2.0)):
        path = tmp_path / f"{row.degradation}.h5"
        with h5py.File(path, "w") as file:
            file["widths"] = np.ones((2, 10, 5))
            file["width"], file["bootstrap"] = row.width, row.bootstrap
            for name in ("degradation", "estimator", "kind"):
                file.attrs[name] = getattr(row, name)
            file.attrs.update(vars(Training(-1.0, -0.5, 0.01, 0.0)))
        paths.append(path)
    spec = {
        "labels": {"reference": "Reference", "cut": "Cut"},
        "prior": {"omega_m": [0.15, 0.45], "sigma_8": [0.5, 1.2]},
    }
    stage.run(spec, paths, tmp_path / "widths.csv")
    table = pd.read_csv(tmp_path / "widths.csv")
    assert list(table.degradation) == ["reference", "cut"]
    assert list(table.label) == ["Reference", "Cut"]
    assert list(pd.read_csv(tmp_path / "widths_columns.csv").column) == list(table)
