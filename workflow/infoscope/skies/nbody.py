"""Convergence of particle-mesh simulations: a periodic box, seen as a light-cone.

A sky is one box. Light crosses a shell in one time step, and a shell is projected from
the density that the forces of its step are computed from. Neighbouring shells are seen
in the same view as long as all of them fit into the box, so that matter is continuous
and nothing repeats along the line of sight; then the box is turned and shifted at
random. Matter of different views is uncorrelated, and structures larger than the box
are missing: both take power from the convergence at low multipoles only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from infoscope.cosmology.matter import Background, Matter
from infoscope.skies.growth import Growth
from infoscope.skies.lightcone import directions, random_view, shell
from infoscope.skies.particles import Particles, linear_density, start, step
from infoscope.skies.shells import map_weights, shell_edges
from infoscope.survey.survey import RedshiftDistribution

Z_START = 9.0


class Settings(Protocol):
    """Keys of `simulator` in the config, see `simulators.nbody.NBody`."""

    @property
    def shell_width_mpc(self) -> float:
        """Comoving thickness of a shell."""

    @property
    def box_size_mpc_h(self) -> float:
        """Side of the box."""

    @property
    def n_particles(self) -> int:
        """Particles along a side."""

    @property
    def n_mesh(self) -> int:
        """Cells of the force mesh along a side."""

    @property
    def steps(self) -> int:
        """Time steps before the farthest shell."""


def skies(
    config: Settings,
    matter: Matter,
    nz: RedshiftDistribution,
    nside: int,
    generators: Sequence[np.random.Generator],
) -> Iterator[NDArray]:
    """Simulate a box for each sky; see `Simulator.skies`."""
    background = matter.background
    edges = shell_edges(background, nz, config.shell_width_mpc)
    weights = map_weights(background, nz, edges).astype(np.float32)
    growth = Growth.of(background.omega_m)
    box_mpc = config.box_size_mpc_h / background.h
    power = matter.linear_power(matter.k_mpc)
    for generator in generators:
        white = generator.standard_normal((config.n_particles,) * 3, np.float32)
        particles = start(
            linear_density(white, matter.k_mpc, power, box_mpc),
            growth,
            float(growth.at_redshift(Z_START)),
            config.n_mesh,
        )
        shells = light_cone(
            particles, config, growth, background, edges, nside, generator
        )
        maps = np.zeros((*weights.shape[:-1], 12 * nside**2), np.float32)
        for shell_number, delta in enumerate(shells, start=1):
            maps += weights[..., -shell_number, None] * delta
        yield maps


def light_cone(
    particles: Particles,
    config: Settings,
    growth: Growth,
    background: Background,
    edges: NDArray,
    nside: int,
    generator: np.random.Generator,
) -> Iterator[NDArray]:
    """Evolve particles, and see a shell in each step that light takes to cross it.

    Parameters
    ----------
    particles
        At z = 9; they are consumed.
    config
        Mesh, box and early steps.
    growth, background
        Of the cosmology.
    edges
        Distances in Mpc that bound the shells, from near to far.
    nside
        Resolution.
    generator
        Draws the views.

    Yields
    ------
        Mean overdensity of each shell (12 nside²,), the farthest first.
    """
    seen = growth.at_redshift(background.redshift(edges[::-1]))
    early = np.linspace(growth.at_redshift(Z_START), seen[0], config.steps + 1)
    for begin, end in zip(early, early[1:], strict=False):
        particles, _ = step(particles, growth, begin, end, config.n_mesh)
    cells = edges[::-1] * background.h * config.n_mesh / config.box_size_mpc_h
    shells_of_a_view = max(1, int(config.n_mesh / (cells[0] - cells[1])))
    pixels = directions(nside)
    for i in range(len(edges) - 1):
        if i % shells_of_a_view == 0:
            rotation, place = random_view(generator)
            rays = jnp.asarray(pixels @ rotation.T, jnp.float32)
        particles, delta_k = step(
            particles, growth, seen[i], seen[i + 1], config.n_mesh
        )
        yield np.asarray(
            shell(
                delta_k,
                (cells[i + 1], cells[i]),
                2 * nside,
                rays,
                place * config.n_mesh,
            )
        )
