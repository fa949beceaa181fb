"""Shells in comoving distance, and integrals over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

STEPS = 16  # quadrature points per shell


def quadrature(
    edges: Float[NDArray, " n_edge"],
) -> tuple[Float[NDArray, "n_shell n_step"], Float[NDArray, "n_shell 1"]]:
    """Midpoints and step of the quadrature over each shell.

    Parameters
    ----------
    edges
        Edges of the shells in comoving Mpc.
    """
    width = np.diff(edges)[:, None]
    return edges[:-1, None] + width * (np.arange(STEPS) + 0.5) / STEPS, width / STEPS
