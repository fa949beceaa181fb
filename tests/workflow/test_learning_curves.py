"""Learning curves of a complete study, and changes that run them again."""

from __future__ import annotations

import h5py
import pandas as pd
import pytest

from .conftest import Checkout

pytestmark = pytest.mark.slow

CURVES = {
    # half of the cosmologies and half of the steps; there is only one sky per cosmology
    "train_reduced": 4,
    "infer_reduced": 4,
    "measure_learning_curves": 1,
    "plot_learning_curves": 1,
}


@pytest.fixture(scope="module")
def curves(complete: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Complete the learning curves of a copy of the finished study."""
    checkout = complete.copied(tmp_path_factory.mktemp("curves") / "info scope")
    chosen = {"degradations": ["reference"], "fractions": [0.5]}
    checkout.config["learning_curves"] = chosen
    # no other training run and no other figure runs again
    assert checkout.would_run() == CURVES
    text = checkout.snakemake("--cores", "2")
    assert checkout.returncode == 0, text
    return checkout


def test_learning_curves(curves: Checkout) -> None:
    assert curves.would_run() == {}
    results = curves.folder / "results/ci"
    table = pd.read_csv(results / "learning_curves.csv")
    rows = zip(
        table.degradation, table.estimator, table.axis, table.number, strict=True
    )
    assert set(rows) == {
        ("reference", estimator, axis, number)
        for estimator, steps in (("cnn", 20), ("power_spectrum", 40))
        for axis, whole in (("cosmologies", 8), ("steps", steps))
        for number in (whole // 2, whole)
    }
    assert len(table) == 8
    assert (table[["sigma_s8", "sigma_s8_error"]] > 0).all(axis=None)
    # the full budget is that of the study; a reduced one has its own training run
    widths = pd.read_csv(results / "widths.csv")
    widths = widths.query("degradation == 'reference' and metric == 'sigma_s8'")
    for row in table.itertuples():
        (whole,) = widths.value[widths.estimator == row.estimator]
        steps = {"cnn": 20, "power_spectrum": 40}[row.estimator]
        is_whole = row.number == {"cosmologies": 8, "steps": steps}[row.axis]
        assert (row.sigma_s8 == pytest.approx(whole)) == is_whole
    less = results / "learning_curves/reference/cnn/cosmologies_50/seed_0/summaries.h5"
    with h5py.File(less) as file:
        assert '"skies": {"cosmologies": 4, "skies": 1}' in file.attrs["spec"]
    for kind in ("png", "pdf"):
        figure = results / f"figures/learning_curves.{kind}"
        assert figure.stat().st_size > 10_000


def test_deleted_result_of_a_learning_curve_is_noticed(curves: Checkout) -> None:
    path = curves.folder / "results/ci/learning_curves/reference/cnn/steps_50.h5"
    hidden = path.with_suffix(".hidden")
    path.rename(hidden)
    try:
        jobs = curves.would_run()
    finally:
        hidden.rename(path)
    assert jobs == {
        "infer_reduced": 1, "measure_learning_curves": 1, "plot_learning_curves": 1,
    }  # fmt: skip


def test_removed_learning_curves_run_nothing(
    curves: Checkout, complete: Checkout
) -> None:
    assert curves.would_run(complete.config) == {}
