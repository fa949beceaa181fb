"""A small copy of CosmoGridV1 with the same layout, and Gaussian maps of low nside.

Names, fields and types are those of its documentation (www.cosmogrid.ai/data_docs). As
in the original, the numbering of cosmologies has gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from infoscope.maps import harmonics

FIDUCIAL = {
    "Om": 0.26, "s8": 0.84, "H0": 67.36, "Ob": 0.0493, "ns": 0.9649, "w0": -1.0,
}  # fmt: skip
COSMOLOGY = {
    "fiducial": {"omega_m": 0.26, "sigma_8": 0.84},
    "h": 0.6736,
    "omega_b": 0.0493,
    "n_s": 0.9649,
}
# mean of the maps, because particle counts are not overdensities
MONOPOLE = 0.25
_TYPE = np.dtype(
    [(name, "f8") for name in ("As", "Om", "s8", "H0", "Ob", "ns", "w0", "bary_Mc")]
    + [("sobol_index", "i4"), ("id_param", "i4"), ("path_par", "S128")]
)


def names(n: int) -> list[str]:
    """Return the names of cosmologies, with gaps."""
    return [f"cosmo_{3 * i + 1:06d}" for i in range(n)]


def write_metainfo(root: Path, n: int) -> tuple[np.ndarray, np.void]:
    """Write the metainfo of n cosmologies, and of one outside all priors.

    Returns
    -------
        Rows of the grid, and row of the fiducial.
    """
    rng = np.random.default_rng(1)
    root.mkdir(parents=True, exist_ok=True)
    grid = np.zeros(n + 1, _TYPE)
    low = {"Om": 0.16, "s8": 0.55, "H0": 64, "Ob": 0.04, "ns": 0.87, "w0": -1.2}
    high = {"Om": 0.44, "s8": 1.15, "H0": 82, "Ob": 0.06, "ns": 1.07, "w0": -0.7}
    # row by row, so that a larger copy starts with the smaller one
    drawn = rng.uniform(list(low.values()), list(high.values()), (n, len(low)))
    for name, values in zip(low, drawn.T, strict=True):
        grid[name] = [*values, values.mean()]
    grid["s8"][n] = 1.39
    grid["path_par"] = [
        f"CosmoGrid/raw/grid/{name}/" for name in (*names(n), "cosmo_000000")
    ]
    fiducial = np.zeros(3, _TYPE)
    for name, value in FIDUCIAL.items():
        fiducial[name] = value
    fiducial["Om"][:2] += [0.01, -0.01]
    fiducial["path_par"] = [
        f"CosmoGrid/raw/fiducial/{name}/"
        for name in ("cosmo_delta_Om_p", "cosmo_delta_Om_m", "cosmo_fiducial")
    ]
    with h5py.File(root / "CosmoGridV1_metainfo.h5", "w") as file:
        file["parameters/grid"] = grid
        file["parameters/fiducial"] = fiducial
    return grid, fiducial[2]


def maps_path(root: Path, name: str, perm: int) -> Path:
    """Return the path of a file of maps."""
    group = "fiducial" if name == "cosmo_fiducial" else "grid"
    folder = root / "stage3_forecast" / group / name / f"perm_{perm:04d}"
    return folder / "projected_probes_maps_nobaryons512.h5"


def write_maps(path: Path, kappa: np.ndarray, kappa_ia: np.ndarray) -> None:
    """Write the maps (4, n_pix) of a sky."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for group, maps in {"kg": kappa, "ia": kappa_ia, "dg": kappa}.items():
            for b, values in enumerate(maps):
                file.create_dataset(
                    f"{group}/stage3_lensing{b + 1}",
                    data=values.astype(np.float32),
                    compression="lzf",
                    shuffle=True,
                )


def maps_of(row: np.void, nside: int, seed: int) -> np.ndarray:
    """Draw Gaussian maps of four bins, with spectra that grow with S_8 and redshift.

    Spectra are power laws instead of those of CAMB, so that a copy takes a second.
    """
    rng = np.random.default_rng(seed)
    lmax = harmonics.lmax_of(nside)
    ell = harmonics.ell_of_alm(lmax)
    draws = rng.standard_normal((2, 5, len(ell)))
    alm = (draws[0] + 1j * draws[1]) / 2**0.5
    alm[:, : lmax + 1] = draws[0][:, : lmax + 1]
    s8 = row["s8"] * np.sqrt(row["Om"] / 0.3)
    alm *= 0.03 * s8 / (ell + 10.0)
    common = harmonics.synthesis(alm, nside)
    amplitude = np.array([0.3, 0.5, 0.8, 1.0])[:, None]
    return amplitude * (0.9 * common[4] + 0.4 * common[:4])


def write_copy(
    root: Path, n: int, nside: int = 8, perms: Sequence[int] = (0, 2), skies: int = 3
) -> None:
    """Write n cosmologies and the fiducial, whose perm_0000 is missing."""
    grid, fiducial = write_metainfo(root, n)
    for i, (name, row) in enumerate(zip(names(n), grid, strict=False)):
        for perm in perms:
            write_sky(root, name, perm, row, nside, seed=100 * i + perm)
    for perm in range(1, skies + 1):
        write_sky(root, "cosmo_fiducial", perm, fiducial, nside, seed=10**6 + perm)


def write_sky(
    root: Path, name: str, perm: int, row: np.void, nside: int, seed: int
) -> None:
    """Write the maps of a sky; alignment is anti-correlated with the convergence."""
    kappa = maps_of(row, nside, seed)
    write_maps(maps_path(root, name, perm), kappa + MONOPOLE, -kappa / 10)
