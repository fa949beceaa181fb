"""Attribution in a complete study, and changes that run it again."""

from __future__ import annotations

import copy

import pandas as pd
import pytest

from .conftest import Checkout

pytestmark = pytest.mark.slow

COMPARED = {"compare_attribution": 1, "plot_attribution": 1}


def test_shares_of_the_response_sum_to_one(finished: Checkout) -> None:
    folder = finished.folder / "results/ci/attribution/cnn"
    shares = pd.read_csv(folder / "shares.csv")
    whole = shares[shares["smoothing_mpc_h"] == 0].groupby("part")["share"].sum()
    assert whole.to_dict() == pytest.approx(dict.fromkeys(whole.index, 1), abs=0.02)
    # shuffled pixels are not a part of a tile
    assert pd.read_csv(folder / "agreement.csv").empty


def test_a_new_degradation_is_compared_and_attributes_nothing_anew(
    finished: Checkout,
) -> None:
    config = copy.deepcopy(finished.config)
    small = {"operations": [{"operation": "highpass", "scale_mpc_h": 200}]}
    config["degradations"]["small"] = small
    would = finished.would_run(config)
    assert would.items() >= COMPARED.items()
    assert "attribute_estimates" not in would and would["train_estimator"] == 2


def test_fewer_tiles_train_nothing(finished: Checkout) -> None:
    config = copy.deepcopy(finished.config) | {"attribution": {"tiles": 32}}
    assert finished.would_run(config) == {"attribute_estimates": 1} | COMPARED
    assert finished.would_run(config | {"attribution": {"tiles": 0}}) == {}
