"""Particle-mesh skies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from infoscope.errors import InfoscopeError
from infoscope.skies.simulator import ShellSimulator

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32
    from numpy.typing import NDArray

    from infoscope.cosmology.matter import Matter
    from infoscope.survey.survey import RedshiftDistribution


class NBody(ShellSimulator):
    """Light-cones of a particle-mesh simulation, summed in the Born approximation.

    With the defaults, the matter power spectrum at the fiducial is within 5 % of
    HMcode-2020 up to k = 0.45 h/Mpc at z = 0 and 0.62 h/Mpc at z = 1
    (docs/figures/nbody_power.png). This requires a mesh with twice as many cells along
    a side as particles: with equal numbers, a quarter of the power is missing at half
    the Nyquist frequency of the particles. Structures larger than the box are missing,
    and matter in different views of the box is uncorrelated. In linear theory, a box of
    512 Mpc/h reduces the convergence power of the farthest default bin by 12 % at
    ℓ = 15, 3.5 % at ℓ = 25 and 2.5 % at ℓ = 55. In total, the convergence power of the
    two farthest bins is within 6 % of CAMB for 20 ≤ ℓ ≤ 256; that of the nearest bin is
    10 to 20 % too low beyond ℓ = 128. In addition to its maps, a job needs 40 bytes per
    cell of the mesh and 200 bytes per particle.
    """

    name: Literal["nbody"] = "nbody"
    caveat = (
        "Skies are from a particle-mesh simulation of a periodic box: structures "
        "larger than the box are missing, and small ones are smoothed."
    )

    box_size_mpc_h: float = Field(
        512.0, gt=0, description="Side of the box, in comoving Mpc/h."
    )
    n_particles: int = Field(
        128,
        ge=8,
        multiple_of=2,
        description="Number of particles along a side of the box.",
    )
    n_mesh: int = Field(
        256,
        ge=8,
        multiple_of=2,
        description="Number of cells of the force mesh along a side of the box.",
    )
    steps: int = Field(
        4,
        ge=1,
        description="Number of time steps from z = 9 to the farthest shell, after "
        "which there is one step per shell.",
    )

    @model_validator(mode="after")
    def _mesh_is_fine_enough(self) -> NBody:
        if self.n_mesh < self.n_particles:
            raise ValueError(
                f"n_mesh must be at least n_particles = {self.n_particles}, "
                f"got {self.n_mesh}"
            )
        return self

    def check(
        self, n_bins: int, nside: int, h: float, scales: Mapping[str, Sequence[float]]
    ) -> None:
        """Check that the box is larger than a shell and contains all scales."""
        box, shell = self.box_size_mpc_h, self.shell_width_mpc * h
        if shell > box:
            raise InfoscopeError(
                f"config: simulator.box_size_mpc_h: {box:g} Mpc/h is less than a "
                f"shell, {shell:g} Mpc/h; reduce simulator.shell_width_mpc or enlarge "
                "the box"
            )
        separation = box / self.n_particles
        for key, lengths in scales.items():
            if max(lengths) > box:
                raise InfoscopeError(
                    f"config: {key}: {max(lengths):g} Mpc/h does not fit into the box; "
                    f"enlarge simulator.box_size_mpc_h, now {box:g}"
                )
            if min(lengths) < separation:
                raise InfoscopeError(
                    f"config: {key}: {min(lengths):g} Mpc/h is less than the distance "
                    f"between particles, {separation:g} Mpc/h; increase "
                    "simulator.n_particles"
                )

    def skies(
        self,
        matter: Matter,
        nz: RedshiftDistribution,
        nside: int,
        generators: Sequence[np.random.Generator],
    ) -> Iterator[Float32[NDArray, "n_map n_bins n_pix"]]:
        """Simulate a box for each sky."""
        from infoscope.skies import nbody

        return nbody.skies(self, matter, nz, nside, generators)

    def seconds(self, nside: int, n_shells: int, h: float) -> tuple[float, float]:
        """Return the time per cosmology, and per sky (benchmarks/nbody_sky.py)."""
        per_cosmology, _ = super().seconds(nside, n_shells, h)
        mesh, particles = self.n_mesh**3, self.n_particles**3
        step = 3.4e-8 * mesh + 2.5e-7 * particles
        # each ray reads the cells in a shell, slower if the mesh exceeds the cache
        cells = self.shell_width_mpc * h / self.box_size_mpc_h * self.n_mesh
        n_read = cells * 12 * nside**2
        projection = 1e-8 * mesh + 2.2e-8 * self.n_mesh / 256 * n_read
        return per_cosmology, (self.steps + n_shells) * step + n_shells * projection

    @property
    def memory_mb(self) -> float:
        """Memory of a job: 40 bytes per cell of the mesh and 200 per particle."""
        return 400 + 4e-5 * self.n_mesh**3 + 2e-4 * self.n_particles**3
