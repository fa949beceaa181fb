"""Rules of figures that only some studies have, run on a table of widths."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ..figures.ratios import widths_table
from .conftest import Checkout

pytestmark = pytest.mark.slow

RULES = ("tabulate_nz", "tabulate_scales", "plot_scales", "plot_kappa_ranges")
LOWPASS = {"operation": "lowpass", "ell": 20}
DEGRADATIONS = {
    "reference": [],
    "lowpass": [LOWPASS],
    "highpass": [{"operation": "highpass", "scale_mpc_h": 300}],
    "high": [LOWPASS, {"operation": "keep_convergence", "ranges": [[1, None]]}],
}


def test_figures_of_scales_and_convergence(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "a checkout")
    checkout.config["degradations"] = {
        name: {"operations": operations} for name, operations in DEGRADATIONS.items()
    }
    del checkout.config["claims"]
    results = checkout.folder / "results/ci"
    results.mkdir(parents=True)
    # this table replaces the training runs of a study
    table = widths_table({name: name for name in DEGRADATIONS})
    table.to_csv(results / "widths.csv", index=False)
    text = checkout.snakemake(
        *("--cores", "1", "--allowed-rules", *RULES, "--"),
        *(f"results/ci/figures/{name}.png" for name in ("scales", "kappa_ranges")),
    )
    assert checkout.returncode == 0, text
    for name in ("scales", "kappa_ranges"):
        for suffix in ("png", "pdf"):
            assert (results / f"figures/{name}.{suffix}").stat().st_size > 10_000
    scales = pd.read_csv(results / "scales.csv")
    assert list(scales.bin) == [1, 2, 3, 4]
    # 0.27 h/Mpc today, and higher at earlier times
    assert scales.k_nl_h_mpc.is_monotonic_increasing
    assert scales.k_nl_h_mpc.between(0.28, 0.5).all()
