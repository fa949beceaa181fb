"""Interpolation of matter between nodes, and its power laws beyond the table."""

from __future__ import annotations

import numpy as np
import pytest

from infoscope.cosmology.matter import (
    Background,
    Matter,
    MatterTable,
    chebyshev_nodes,
    lagrange,
)

Z = np.linspace(0, 2.5, 12)
K = np.geomspace(1e-3, 10, 60)


@pytest.mark.parametrize("x", [0.15, 0.2, 0.31, 0.45])
def test_polynomials_are_interpolated_exactly(x: float) -> None:
    nodes = chebyshev_nodes(0.15, 0.45, 8)
    assert (np.diff(nodes) > 0).all() and 0.15 < nodes[0] and nodes[-1] < 0.45
    polynomial = np.polynomial.Polynomial([1, -2, 3, 0.5, -1, 2, 1, -3])
    assert lagrange(nodes, x) @ polynomial(nodes) == pytest.approx(polynomial(x))


def test_a_node_is_what_was_computed_there() -> None:
    nodes = chebyshev_nodes(0.5, 1.2, 6)
    np.testing.assert_allclose(lagrange(nodes, nodes[2]), np.eye(6)[2], atol=1e-12)


def power_law(k: np.ndarray, z: float) -> np.ndarray:
    return 30 * k**-1.5 / (1 + z) ** 2


def test_power_laws_go_on_beyond_the_table() -> None:
    log_power = np.log([power_law(K, z) for z in Z])
    background = Background(Z, 3000 * Z, 1 + 0 * Z, 1 / (1 + Z), 0.3, 0.7)
    matter = Matter(background, Z, K, log_power, log_power[0])
    k = np.geomspace(1e-5, 1e3, 50)
    # a spline in z of a logarithm
    np.testing.assert_allclose(matter.power(0.7, k), power_law(k, 0.7), rtol=1e-4)
    inside = k[(k > K[0]) & (k < K[-1])]
    linear = matter.linear_power(inside)
    np.testing.assert_allclose(linear, power_law(inside, 0), rtol=1e-10)
    assert background.redshift(np.array(1500.0)) == pytest.approx(0.5)


def test_table_is_smooth_in_both_parameters() -> None:
    """P = Ω_m² σ_8⁴ k⁻¹: its logarithm is no polynomial, but nearly one."""
    omega_m, sigma_8 = chebyshev_nodes(0.15, 0.45, 10), chebyshev_nodes(0.5, 1.2, 8)
    shape = -np.log(K) + np.zeros((len(Z), 1))
    logs = 2 * np.log(omega_m)[:, None] + 4 * np.log(sigma_8)
    per_node = omega_m[:, None]
    table = MatterTable(
        omega_m, sigma_8, 0.7, Z, per_node * Z, 1 + per_node * Z, per_node / (1 + Z),
        Z, K, logs[..., None, None] + shape, per_node - np.log(K),
    )  # fmt: skip
    matter = table.at(np.array([0.222, 0.9]))
    expected = 0.222**2 * 0.9**4 / K
    np.testing.assert_allclose(matter.power(1.1, K), expected, rtol=1e-5)
    np.testing.assert_allclose(matter.background.chi_mpc, 0.222 * Z)
    linear = 0.9**2 * np.exp(0.222) / K
    np.testing.assert_allclose(matter.linear_power(K), linear)
