"""Summed bins are a survey without redshifts; selected bins are unchanged."""

from __future__ import annotations

import numpy as np
import pytest

from infoscope.degradations.operation import Sky


@pytest.mark.parametrize("domain", ["sphere", "tile", "harmonic"])
def test_sum_averages_by_galaxies_in_every_domain(white, apply, domain) -> None:
    summed = apply(white.to(domain), operation="sum_bins")
    expected = 0.25 * white.maps[0] + 0.75 * white.maps[1]
    assert np.allclose(summed.maps[0], expected, atol=1e-12)
    assert summed.survey.n_gal_arcmin2 == pytest.approx([8.0])
    assert summed.survey.mean_z == pytest.approx([0.25 * 0.3 + 0.75 * 0.8])


def test_sum_has_the_noise_of_all_galaxies(survey, apply) -> None:
    sigma = survey.noise_sigma[:, None]
    noise = sigma * np.random.default_rng(1).standard_normal((2, 12288))
    summed = apply(Sky(noise, survey), operation="sum_bins")
    assert summed.maps.std() == pytest.approx(summed.survey.noise_sigma[0], rel=0.02)
    # 2 and 6 galaxies with σ_e of 0.3 and 0.4
    sigma_e = (0.25 * 0.3**2 + 0.75 * 0.4**2) ** 0.5
    assert summed.survey.sigma_e == pytest.approx([sigma_e])


@pytest.mark.parametrize("domain", ["sphere", "tile", "harmonic"])
def test_select_keeps_bins_in_the_order_given(white, apply, domain) -> None:
    chosen = apply(white.to(domain), operation="select_bins", bins=[2, 1])
    assert np.allclose(chosen.maps, white.maps[::-1], atol=1e-12)
    assert chosen.survey.mean_z.tolist() == [0.8, 0.3]
    one = apply(white.to(domain), operation="select_bins", bins=[2])
    assert one.maps.shape == (1, 12288)
    assert one.survey.n_gal_arcmin2.tolist() == [6.0]
    assert one.survey.sigma_e.tolist() == [0.4]


def test_bins_commute_with_filters(white, apply) -> None:
    """The sum of a filtered sky is the same in both domains."""
    filtered = apply(white, to="harmonic", operation="highpass", ell=20)
    assert np.allclose(
        apply(filtered, operation="sum_bins").maps,
        apply(filtered.to("sphere"), operation="sum_bins").maps,
        atol=1e-12,
    )
