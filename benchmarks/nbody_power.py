"""Matter power of the particle-mesh simulations, compared with that of HMcode-2020.

    PYTHONPATH=workflow python benchmarks/nbody_power.py [box_mpc_h n_particles n_mesh]

Draws docs/figures/nbody_power.png. The modes of the initial conditions have the
amplitudes of linear theory, and the power is averaged over pairs of opposite phases
(Angulo and Pontzen 2016, arXiv 1603.05253). One pair therefore has little cosmic
variance.
"""

from __future__ import annotations

import sys
from pathlib import Path

import camb
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from infoscope.cosmology.boltzmann import matter_of
from infoscope.cosmology.config import CosmologyConfig
from infoscope.skies.growth import Growth
from infoscope.skies.mesh import cic_window, paint, wavenumber_squared
from infoscope.skies.nbody import Z_START
from infoscope.skies.particles import Particles, linear_density, start, step

ROOT = Path(__file__).parents[1]
COSMOLOGY = CosmologyConfig()
THETA = np.array([COSMOLOGY.fiducial.omega_m, COSMOLOGY.fiducial.sigma_8])
REDSHIFTS = (2.0, 1.0, 0.5, 0.0)
STEP = 0.05  # in D, that of a shell of 100 Mpc is shorter


def fixed_modes(n: int, seed: int) -> NDArray:
    """White noise (n, n, n) with random phases, whose modes have equal moduli."""
    modes = np.fft.rfftn(np.random.default_rng(seed).standard_normal((n, n, n)))
    white = np.fft.irfftn(modes / np.abs(modes) * n**1.5, (n, n, n), axes=(0, 1, 2))
    return white.astype(np.float32)


def snapshots(
    box_mpc_h: float, white: NDArray, n_mesh: int, redshifts: tuple[float, ...]
) -> list[NDArray]:
    """Painted overdensity modes at falling redshifts, without the window of painting.

    Returns
    -------
        For each redshift, modes (n_mesh, n_mesh, n_mesh // 2 + 1).
    """
    growth = Growth.of(THETA[0])
    matter = matter_of(THETA, COSMOLOGY)
    power = matter.linear_power(matter.k_mpc)
    delta = linear_density(white, matter.k_mpc, power, box_mpc_h / COSMOLOGY.h)
    now = float(growth.at_redshift(Z_START))
    particles: Particles = start(delta, growth, now, n_mesh)
    seen = []
    for z in redshifts:
        target = float(growth.at_redshift(z))
        times = np.linspace(now, target, 1 + int(np.ceil((target - now) / STEP)))
        for begin, end in zip(times, times[1:], strict=False):
            particles, _ = step(particles, growth, begin, end, n_mesh)
        now = target
        modes = jnp.fft.rfftn(paint(particles.position, n_mesh)) / cic_window(n_mesh)
        seen.append(np.asarray(modes))
    return seen


def band_powers(modes: NDArray, box_mpc_h: float) -> tuple[NDArray, NDArray]:
    """Mean k in h/Mpc and power in (Mpc/h)³, in bins of a fundamental frequency."""
    n = len(modes)
    fundamental = 2 * np.pi / box_mpc_h
    k = np.sqrt(np.asarray(wavenumber_squared(n))) * n / box_mpc_h
    # of a real field, modes of k_z > 0 stand for two
    count = np.full(k.shape, 2.0)
    count[..., [0, -1]] = 1
    edges = np.arange(0.5, n // 2) * fundamental
    power = np.abs(modes) ** 2 * box_mpc_h**3 / float(n) ** 6
    total = np.histogram(k, edges, weights=count)[0]
    return (
        np.histogram(k, edges, weights=count * k)[0] / total,
        np.histogram(k, edges, weights=count * power)[0] / total,
    )


def simulated(
    box_mpc_h: float, n: int, n_mesh: int, redshifts: tuple[float, ...], seed: int = 1
) -> tuple[NDArray, NDArray]:
    """Band powers of a pair of simulations: k (n_k,), power (n_z, n_k)."""
    white = fixed_modes(n, seed)
    pair = [
        [band_powers(modes, box_mpc_h) for modes in snapshots(*run)]
        for run in (
            (box_mpc_h, white, n_mesh, redshifts),
            (box_mpc_h, -white, n_mesh, redshifts),
        )
    ]
    k = pair[0][0][0]
    return k, np.mean([[power for _, power in run] for run in pair], axis=0)


def predicted(k_mpc_h: NDArray, redshifts: tuple[float, ...], model: str) -> NDArray:
    """Non-linear power (n_z, n_k) in (Mpc/h)³ by a model of CAMB."""
    h, omega_b = COSMOLOGY.h, COSMOLOGY.omega_b
    parameters = camb.CAMBparams()
    parameters.set_cosmology(
        H0=100 * h,
        ombh2=omega_b * h**2,
        omch2=(THETA[0] - omega_b) * h**2,
        mnu=0,
        num_massive_neutrinos=0,
    )
    parameters.InitPower.set_params(As=2e-9, ns=COSMOLOGY.n_s)
    parameters.set_matter_power(redshifts=np.linspace(2.5, 0, 11), kmax=20)
    sigma_8 = camb.get_results(parameters).get_sigma8_0()
    parameters.InitPower.As *= (THETA[1] / sigma_8) ** 2
    parameters.NonLinear = camb.model.NonLinear_both
    parameters.NonLinearModel.set_params(halofit_version=model)
    power = camb.get_matter_power_interpolator(
        parameters, nonlinear=True, kmax=20, zmax=2.5
    )
    return np.array([power.P(z, k_mpc_h) for z in redshifts])


def main(box_mpc_h: float, n: int, n_mesh: int) -> None:
    """Draw the figure and print where the difference leaves 5 %."""
    import matplotlib.pyplot as plt

    k, power = simulated(box_mpc_h, n, n_mesh, REDSHIFTS)
    ratio = power / predicted(k, REDSHIFTS, "mead2020")
    halofit = predicted(k, REDSHIFTS, "takahashi") / predicted(k, REDSHIFTS, "mead2020")
    bins = np.geomspace(k[1], k[-1], 25)
    member = np.digitize(k, bins)
    used = [i for i in range(1, len(bins)) if (member == i).any()]
    centre = np.array([k[member == i].mean() for i in used])
    smooth = np.array([ratio[:, member == i].mean(axis=1) for i in used]).T
    plt.style.use(ROOT / "resources/infoscope.mplstyle")
    figure, axes = plt.subplots()
    axes.axhspan(0.95, 1.05, color="0.9")
    for z, line, other, colour in zip(
        REDSHIFTS, smooth, halofit, plt.cm.viridis(np.linspace(0, 0.85, 4)), strict=True
    ):
        axes.semilogx(centre, line, "o-", ms=3, color=colour, label=f"$z = {z:g}$")
        axes.semilogx(k, other, ":", color=colour)
        inside = np.cumprod(np.abs(line - 1) <= 0.05).astype(bool)
        print(f"z = {z:g}: within 5 % up to k = {centre[inside].max():.2f} h/Mpc")
    axes.plot([], [], ":", color="0.3", label="halofit (Takahashi)")
    nyquist = np.pi * n / box_mpc_h
    axes.axvline(nyquist, color="0.5", ls="--", lw=1, label="particles' Nyquist")
    axes.set(
        xlabel=r"$k$ [$h$/Mpc]",
        ylabel=r"$P(k)$ / HMcode-2020",
        ylim=(0.8, 1.2),
    )
    axes.legend()
    figure.savefig(ROOT / "docs/figures/nbody_power.png", dpi=150)


if __name__ == "__main__":
    box, particles, cells = (*sys.argv[1:], 512, 128, 256)[:3]
    main(float(box), int(particles), int(cells))
