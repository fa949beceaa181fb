"""Config of the simulators."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import (
    Field,
    model_validator,
)

from infoscope.models import InputFile, Model


class ShellSimulator(Model):
    """Base of the simulators that sum shells of matter."""

    nuisance: ClassVar[tuple[str, ...]] = ()
    shell_width_mpc: float = Field(
        100.0, ge=20, le=1000, description="Comoving thickness of a shell, in Mpc."
    )

    @property
    def memory_mb(self) -> float:
        """What a simulation needs beside maps."""
        return 0.0


class LognormalConfig(ShellSimulator):
    """Lognormal matter shells (GLASS), Born-summed."""

    name: Literal["lognormal"] = "lognormal"


class GaussianConfig(ShellSimulator):
    """Gaussian matter shells with the same spectra: the Fisher matrix is exact."""

    name: Literal["gaussian"] = "gaussian"


class NBodyConfig(ShellSimulator):
    """Particle-mesh simulation of a periodic box, seen as a light-cone, Born-summed.

    By default, matter power at the fiducial is within 5 % of HMcode-2020 up to
    k = 0.45 h/Mpc at z = 0 and 0.62 at z = 1 (docs/figures/nbody_power.png). That needs
    a mesh of twice as many cells along a side as particles: with as many, a quarter of
    the power is missing at half the particles' Nyquist frequency. Structures larger
    than the box are missing, and matter is uncorrelated where the box is seen in
    another view: in linear theory, a box of 512 Mpc/h takes 12 % of the convergence
    power of the farthest default bin at ℓ = 15, 3.5 % at ℓ = 25 and 2.5 % at ℓ = 55.
    All in all, the convergence power of the two farthest bins is within 6 % of CAMB's
    for 20 ≤ ℓ ≤ 256, and that of the nearest bin 10 to 20 % below beyond ℓ = 128.
    A job needs 40 bytes a cell of the mesh and 200 a particle, beside its maps.
    """

    name: Literal["nbody"] = "nbody"
    box_size_mpc_h: float = Field(
        512.0, gt=0, description="Side of the box, in comoving Mpc/h."
    )
    n_particles: int = Field(
        128, ge=8, multiple_of=2, description="Particles along a side of the box."
    )
    n_mesh: int = Field(
        256,
        ge=8,
        multiple_of=2,
        description="Cells of the force mesh along a side of the box.",
    )
    steps: int = Field(
        4,
        ge=1,
        description="Time steps from z = 9 to the farthest shell; from there on, each "
        "shell is a step.",
    )

    @property
    def memory_mb(self) -> float:
        """40 bytes a cell of the mesh and 200 a particle, measured on CPUs."""
        return 4e-5 * self.n_mesh**3 + 2e-4 * self.n_particles**3

    @model_validator(mode="after")
    def _mesh_holds_the_particles(self) -> NBodyConfig:
        if self.n_mesh < self.n_particles:
            raise ValueError(
                f"n_mesh must be at least n_particles = {self.n_particles}, "
                f"got {self.n_mesh}"
            )
        return self


class CosmoGridConfig(Model):
    """CosmoGridV1 Stage-III maps from disk: see docs/cosmogrid.md."""

    name: Literal["cosmogrid"]
    root: InputFile = Field(
        description="Folder with `CosmoGridV1_metainfo.h5` and `stage3_forecast`."
    )
    baryons: Literal["nobaryons", "baryonified"] = Field(
        "nobaryons", description="Maps of matter without or with baryonic feedback."
    )
    nuisance: ClassVar[tuple[str, ...]] = ("h", "omega_b", "n_s", "w_0")

    @property
    def shell_width_mpc(self) -> float:
        """Of the shells that the Fisher forecast sums: the maps come without."""
        return 100.0


Simulator = Annotated[
    LognormalConfig | GaussianConfig | NBodyConfig | CosmoGridConfig,
    Field(discriminator="name"),
]
