"""Convergence of particle-mesh simulations: light-cones of a periodic box.

Each sky is a simulation of its own box. Light crosses a shell in one time step. The
shell is projected from the density from which the forces of this step are computed. As
many successive shells as fit into the box have the same view, so that matter is
continuous and does not repeat along the line of sight. Then the box is rotated and
shifted at random. Matter of different views is uncorrelated, and structures larger than
the box are missing. Both reduce the convergence power, at low multipoles only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import jax.numpy as jnp
import numpy as np

from infoscope.cosmology.matter import Background, Matter
from infoscope.skies.growth import Growth
from infoscope.skies.lightcone import directions, random_view, shell
from infoscope.skies.particles import Particles, linear_density, start, step
from infoscope.skies.shells import map_weights, shell_edges
from infoscope.survey.survey import RedshiftDistribution

if TYPE_CHECKING:
    from jaxtyping import Float, Float32
    from numpy.typing import NDArray

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
) -> Iterator[Float32[NDArray, "1+n_order n_bins n_pix"]]:
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
    edges: Float[NDArray, " n_edge"],
    nside: int,
    generator: np.random.Generator,
) -> Iterator[Float32[NDArray, " n_pix"]]:
    """Evolve particles and project one shell per time step.

    Parameters
    ----------
    particles
        Particles at z = 9. Their buffers are donated and cannot be used again.
    config
        Mesh, box and number of early steps.
    growth, background
        Growth and distances of the cosmology.
    edges
        Comoving distances in Mpc of the edges of the shells, in increasing order.
    nside
        HEALPix nside of the maps.
    generator
        Random number generator for the views.

    Yields
    ------
        Mean overdensity of each shell, from far to near.
    """
    growth_at_edges = growth.at_redshift(background.redshift(edges[::-1]))
    early = np.linspace(
        growth.at_redshift(Z_START), growth_at_edges[0], config.steps + 1
    )
    for begin, end in zip(early, early[1:], strict=False):
        particles, _ = step(particles, growth, begin, end, config.n_mesh)
    edges_in_cells = edges[::-1] * background.h * config.n_mesh / config.box_size_mpc_h
    shell_width = edges_in_cells[0] - edges_in_cells[1]
    shells_per_view = max(1, int(config.n_mesh / shell_width))
    pixels = directions(nside)
    for i in range(len(edges) - 1):
        if i % shells_per_view == 0:
            rotation, position = random_view(generator)
            rays = jnp.asarray(pixels @ rotation.T, jnp.float32)
            origin = position * config.n_mesh
        begin, end = growth_at_edges[i : i + 2]
        particles, delta_k = step(particles, growth, begin, end, config.n_mesh)
        far, near = edges_in_cells[i : i + 2]
        yield np.asarray(shell(delta_k, (near, far), 2 * nside, rays, origin))
