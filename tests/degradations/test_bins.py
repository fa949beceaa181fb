"""Summed bins are a survey without redshifts; selected bins are unchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest


def test_sum_averages_by_galaxies(white, apply) -> None:
    summed = apply(white, operation="sum_bins")
    expected = 0.25 * white.kappa[:1] + 0.75 * white.kappa[1:]
    assert np.allclose(summed.kappa, expected, rtol=0, atol=1e-14)
    assert summed.survey.n_gal_arcmin2 == pytest.approx([8.0])
    assert summed.survey.mean_z == pytest.approx([0.25 * 0.3 + 0.75 * 0.8])


def test_sum_has_the_noise_of_all_galaxies(white, apply) -> None:
    sigma = white.survey.noise_sigma.reshape(2, 1, 1, 1)
    summed = apply(replace(white, kappa=sigma * white.kappa), operation="sum_bins")
    expected = summed.survey.noise_sigma[0]
    assert summed.kappa.std() == pytest.approx(expected, rel=0.03)
    # 2 and 6 galaxies with σ_e of 0.3 and 0.4
    sigma_e = (0.25 * 0.3**2 + 0.75 * 0.4**2) ** 0.5
    assert summed.survey.sigma_e == pytest.approx([sigma_e])


def test_select_keeps_bins_in_the_order_given(white, apply) -> None:
    chosen = apply(white, operation="select_bins", bins=[2, 1])
    assert np.array_equal(chosen.kappa, white.kappa[::-1])
    assert chosen.survey.mean_z.tolist() == [0.8, 0.3]
    one = apply(white, operation="select_bins", bins=[2])
    assert np.array_equal(one.kappa, white.kappa[1:])
    assert one.survey.n_gal_arcmin2.tolist() == [6.0]
    assert one.survey.sigma_e.tolist() == [0.4]


@pytest.mark.parametrize("parameters", [{"operation": "sum_bins"},
                         {"operation": "select_bins", "bins": [2]}])  # fmt: skip
def test_response_is_that_of_the_maps(white, apply, parameters) -> None:
    from ..conftest import parsed

    out = apply(white, **parameters)
    response = parsed(**parameters).response(white.survey, np.array([10.0, 100.0]))
    assert response.weights.shape == (2, 1, 2) and not response.noise.any()
    for weights in response.weights:
        expected = np.tensordot(weights, white.kappa, 1)
        assert np.allclose(out.kappa, expected, rtol=0, atol=1e-14)
