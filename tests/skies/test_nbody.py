"""Growth, mesh, particles and shells in cases with exact solutions."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from infoscope.cosmology.boltzmann import matter_of
from infoscope.cosmology.config import CosmologyConfig
from infoscope.effects.kinds.intrinsic_alignment import ORDERS
from infoscope.skies import lightcone, mesh
from infoscope.skies.growth import Growth
from infoscope.skies.particles import displacements, linear_density, start, step
from infoscope.skies.simulators.nbody import NBody
from infoscope.survey.survey import read_nz

NZ = read_nz(Path(__file__).parents[2] / "resources/nz/des_like.txt")


def lattice(n: int) -> np.ndarray:
    axes = np.meshgrid(*[np.arange(n)] * 3, indexing="ij")
    return np.stack(axes, -1).reshape(-1, 3).astype(np.float32)


def test_growth_without_dark_energy_is_a_power_of_a() -> None:
    growth = Growth.of(1 - 1e-9)
    np.testing.assert_allclose(growth.first, growth.a, rtol=1e-5)
    np.testing.assert_allclose(growth.second, -3 / 7 * growth.a**2, rtol=1e-5)
    np.testing.assert_allclose(growth.slope, -6 / 7 * growth.a, rtol=1e-5)


@pytest.mark.parametrize("omega_m", [0.15, 0.3, 0.45])
def test_growth_is_the_integral_of_heath(omega_m: float) -> None:
    """D ∝ H ∫ da / (aH)³ (Heath 1977); E ≈ -3/7 Ω_m(a)^(-1/143) D² (Bouchet 1995)."""
    growth = Growth.of(omega_m)
    a = np.linspace(1e-6, 1, 200_001)
    hubble = np.sqrt(omega_m / a**3 + 1 - omega_m)
    step = np.diff(a) * (1 / (a * hubble) ** 3)[1:]
    heath = hubble[1:] * (np.cumsum(step) - step / 2)
    expected = np.interp(growth.a, a[1:], heath / heath[-1])
    np.testing.assert_allclose(growth.first[300:], expected[300:], rtol=1e-3)
    omega_of_a = omega_m / (omega_m + (1 - omega_m) * growth.a**3)
    bouchet = -3 / 7 * omega_of_a ** (-1 / 143) * growth.first**2
    np.testing.assert_allclose(growth.second, bouchet, rtol=1e-3)
    numerical = np.gradient(growth.second, growth.first)
    np.testing.assert_allclose(growth.slope[5:-5], numerical[5:-5], rtol=2e-4)


def test_painting_conserves_mass_and_a_lattice_is_uniform() -> None:
    assert np.abs(mesh.paint(jnp.asarray(lattice(16)) + 0.3, 16)).max() < 1e-5
    assert np.abs(mesh.paint(2 * jnp.asarray(lattice(16)), 32)).mean() > 0.5
    rng = np.random.default_rng(1)
    points = jnp.asarray(rng.uniform(-40, 40, (1000, 3)), jnp.float32)
    delta = np.asarray(mesh.paint(points, 16))
    assert delta.mean() == pytest.approx(0, abs=1e-5)
    assert delta.min() >= -1


def test_painting_and_reading_are_transposes() -> None:
    rng = np.random.default_rng(2)
    points = jnp.asarray(rng.uniform(0, 16, (500, 3)), jnp.float32)
    field = jnp.asarray(rng.standard_normal((16, 16, 16)), jnp.float32)
    painted = (np.asarray(mesh.paint(points, 16)) + 1) * 500 / 16**3
    inner = float((painted * np.asarray(field)).sum())
    assert inner == pytest.approx(float(mesh.read(field, points).sum()), abs=1e-2)


def test_gradient_of_a_wave() -> None:
    n = 32
    k = 2 * np.pi * 3 / n
    x = np.arange(n)
    wave = jnp.asarray(np.broadcast_to(np.sin(k * x)[:, None, None], (n, n, n)))
    slope = np.asarray(mesh.gradient(wave))
    np.testing.assert_allclose(slope[:, 0, 0, 0], k * np.cos(k * x), atol=0.01 * k)
    assert np.abs(slope[..., 1:]).max() < 1e-6


def test_displacements_of_two_crossed_waves() -> None:
    """δ = a (cos kx + cos ky) has ψ² = a² / 2k (sin kx cos ky, cos kx sin ky, 0)."""
    n, a = 16, 0.3
    k = 2 * np.pi * 2 / n
    x, y, _ = np.moveaxis(lattice(n).reshape(n, n, n, 3), -1, 0)
    delta = a * (np.cos(k * x) + np.cos(k * y))
    first, second = displacements(jnp.fft.rfftn(jnp.asarray(delta)))
    expected = -a / k * np.stack([np.sin(k * x), np.sin(k * y), 0 * x], -1)
    np.testing.assert_allclose(first, expected, atol=1e-5)
    crossed = np.stack(
        [np.sin(k * x) * np.cos(k * y), np.cos(k * x) * np.sin(k * y), 0 * x], -1
    )
    np.testing.assert_allclose(second, a**2 / (2 * k) * crossed, atol=1e-5)


def test_linear_density_has_the_power_that_is_asked_for() -> None:
    """This is exact for white noise whose modes have the same modulus."""
    n, box = 16, 100.0
    white = np.random.default_rng(3).standard_normal((n, n, n))
    modes = np.fft.rfftn(white)
    white = np.fft.irfftn(modes / np.abs(modes) * n**1.5, (n, n, n), axes=(0, 1, 2))
    k = np.geomspace(0.01, 2, 100)
    delta = linear_density(white.astype(np.float32), k, 50 * k**-1.5, box)
    at = np.sqrt(np.asarray(mesh.wavenumber_squared(n))) * n / box
    power = np.abs(np.asarray(delta)) ** 2 * box**3 / n**6
    np.testing.assert_allclose(power[at > 0], 50 * at[at > 0] ** -1.5, rtol=1e-3)
    assert power[0, 0, 0] == 0


@pytest.mark.parametrize("omega_m", [0.15, 0.3])
def test_a_plane_wave_collapses_as_zeldovich_says(omega_m: float) -> None:
    """In one dimension, q + D ψ is exact until particles cross."""
    n, n_mesh, end = 32, 64, 0.9
    growth = Growth.of(omega_m)
    k = 2 * np.pi / n
    wave = np.broadcast_to(np.cos(k * np.arange(n))[:, None, None], (n, n, n))
    delta = jnp.fft.rfftn(jnp.asarray(wave))
    particles = start(delta, growth, 0.1, n_mesh)
    times = np.linspace(0.1, end, 9)
    for begin, stop in zip(times, times[1:], strict=False):
        particles, _ = step(particles, growth, begin, stop, n_mesh)
    moved = np.asarray(particles.position).reshape(n, n, n, 3)[:, 0, 0, 0]
    q = np.arange(n)
    expected = (q - end * np.sin(k * q) / k) * n_mesh / n
    assert np.abs(moved - expected).max() < 0.01 * n_mesh / n / k


@pytest.mark.parametrize("number", [1, 3])
def test_one_step_is_right_to_second_order(number: int) -> None:
    """The first order cancels in the mean over a field and its negative."""
    growth, n, begin, end = Growth.of(0.3), 32, 0.05, 0.3
    k = np.geomspace(0.01, 1, 200)
    power = 1e5 * np.exp(-np.minimum((k / 0.05) ** 2, 60))
    white = np.random.default_rng(4).standard_normal((n, n, n)).astype(np.float32)
    delta = linear_density(white, k, power, 200.0)
    velocity, expected = np.zeros(n**3 * 3), np.zeros(n**3 * 3)
    for sign in (1, -1):
        expected += np.ravel(start(sign * delta, growth, end, 2 * n).velocity)
        particles = start(sign * delta, growth, begin, 2 * n)
        times = np.linspace(begin, end, number + 1)
        for early, late in zip(times, times[1:], strict=False):
            particles, _ = step(particles, growth, early, late, 2 * n)
        velocity += np.ravel(particles.velocity)
    assert velocity @ expected / (expected @ expected) == pytest.approx(1, abs=0.1)


def rays(nside: int) -> jnp.ndarray:
    return jnp.asarray(lightcone.directions(nside), jnp.float32)


def test_a_uniform_box_has_uniform_shells() -> None:
    delta_k = jnp.fft.rfftn(mesh.paint(jnp.asarray(lattice(16)), 16))
    seen = lightcone.shell(delta_k, (5.0, 40.0), 32, rays(8), np.zeros(3))
    assert np.abs(seen).max() < 1e-5


def test_a_plane_wave_is_seen_as_the_analytic_shell() -> None:
    """It is the mean of cos(k·(o + r n)) over r, in a box repeated three times."""
    n, near, far = 32, 20.0, 50.0
    k = 2 * np.pi / n * np.array([1, -2, 1])
    origin = np.array([3.3, 21.7, 9.1])
    wave = np.cos(lattice(n) @ k).reshape(n, n, n)
    delta_k = jnp.fft.rfftn(jnp.asarray(wave)) * mesh.cic_window(n)
    seen = lightcone.shell(delta_k, (near, far), 100, rays(8), origin)
    phase, slope = origin @ k, np.asarray(rays(8), float) @ k
    slope = np.where(np.abs(slope) < 1e-6, 1e-6, slope)
    expected = (np.sin(phase + slope * far) - np.sin(phase + slope * near)) / slope
    np.testing.assert_allclose(seen, expected / (far - near), atol=0.02)
    assert np.std(expected / (far - near)) > 0.1
    # at the near side, ℓ = k χ of this wave is 9.6, beyond the limit of 9
    beyond = lightcone.shell(delta_k, (near, far), 9, rays(8), origin)
    assert np.abs(beyond).max() < 1e-5


def test_views_are_rotations_of_all_directions() -> None:
    generator = np.random.default_rng(5)
    views = [lightcone.random_view(generator) for _ in range(500)]
    rotations = np.array([rotation for rotation, _ in views])
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    assert np.abs(rotations.mean(0)).max() < 5 / np.sqrt(3 * 500)
    places = np.array([place for _, place in views])
    assert np.abs(places.mean(0) - 0.5).max() < 5 / np.sqrt(12 * 500)


def test_a_sky_depends_on_its_generator_alone() -> None:
    config = NBody(
        box_size_mpc_h=400, n_particles=8, n_mesh=16, steps=1, shell_width_mpc=500
    )
    matter = matter_of(np.array([0.3, 0.8]), CosmologyConfig())

    def skies(*seeds: int) -> list[np.ndarray]:
        generators = [np.random.default_rng(seed) for seed in seeds]
        return list(config.skies(matter, NZ, 16, generators))

    one, two = skies(1, 2)
    (again,) = skies(2)
    assert one.shape == (1 + ORDERS, 4, 12 * 16**2)
    assert np.isfinite(one).all() and (one.std(axis=2) > 0).all()
    np.testing.assert_array_equal(two, again)
    assert np.corrcoef(one[0, 3], two[0, 3])[0, 1] < 0.5
