r"""Integrated gradients: the attribution of a network's estimate to parts of a tile.

Integrated gradients (Sundararajan, Taly & Yan 2017, arXiv 1703.01365) attribute to the
pixel :math:`x_p` of a tile the part

.. math:: x_p \bar g_p, \qquad
          \bar g_p = \int_0^1 \frac{\partial f}{\partial x_p}(\alpha x)\,d\alpha

of the estimate :math:`f(x) - f(0)`. The baseline, a tile of zeros, is the mean map:
the mean of a tile is not observable and has been subtracted. Any component :math:`y`
of the tile (a band of scales, a range of values) contributes
:math:`\sum_p y_p \bar g_p` to the estimate, and the contributions of components that
sum to the tile sum to :math:`f(x) - f(0)`. Gradients at the tile itself are saliencies
(Simonyan et al. 2013, arXiv 1312.6034).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

# Estimates of S_8 of tiles, and the gradients of these estimates
Estimate: TypeAlias = (
    "Callable[[Float[NDArray, 'n side side n_bins']], Float[jax.Array, ' n']]"
)
Gradient: TypeAlias = (
    "Callable[[Float[NDArray, 'n side side n_bins']], "
    "Float[jax.Array, 'n side side n_bins']]"
)

# Points along the path are added until the parts of each tile sum to its estimate
# within this fraction of the scatter of the estimates.
NODES = (8, 16, 32, 64, 128)
TOLERANCE = 0.01


def gradient_of(estimate: Estimate) -> Gradient:
    """Compile the gradient of the estimate of each tile with respect to its pixels."""
    return jax.jit(jax.grad(lambda tiles: estimate(tiles).sum()))


def path_gradient(
    gradient: Gradient, tiles: Float[NDArray, "n side side n_bins"], nodes: int
) -> Float[NDArray, "n side side n_bins"]:
    """Average gradients along the straight path from zero to each tile.

    Parameters
    ----------
    gradient
        What `gradient_of` returns.
    tiles
        Ends of the paths.
    nodes
        Points of the Gauss-Legendre quadrature. Attributions are exact for estimates
        that are polynomials of degree 2 nodes.
    """
    x, weights = np.polynomial.legendre.leggauss(nodes)
    total = jnp.zeros_like(tiles)
    for alpha, weight in zip((1 + x) / 2, weights / 2, strict=True):
        total += float(weight) * gradient(np.float32(alpha) * tiles)
    return np.asarray(total)


def completeness_error(
    estimate: Estimate,
    gradient: Gradient,
    tiles: Float[NDArray, "n side side n_bins"],
    nodes: int,
) -> float:
    """Largest error of the sum of the parts, in units of the estimates' scatter."""
    parts = (tiles * path_gradient(gradient, tiles, nodes)).sum(axis=(1, 2, 3))
    values = np.asarray(estimate(tiles))
    expected = values - np.asarray(estimate(np.zeros_like(tiles[:1])))
    return float(np.abs(parts - expected).max() / values.std())


def enough_nodes(
    estimate: Estimate,
    gradient: Gradient,
    tiles: Float[NDArray, "n side side n_bins"],
) -> tuple[int, float]:
    """Return the number of points that the path needs, and the remaining error."""
    for nodes in NODES:
        error = completeness_error(estimate, gradient, tiles, nodes)
        if error < TOLERANCE:
            break
    return nodes, error


def without_mean(
    gradient: Float[NDArray, "n side side n_bins"],
) -> Float[NDArray, "n side side n_bins"]:
    """Subtract the mean of each tile and bin.

    No sum over a whole tile changes, because tiles have zero mean. A network has never
    seen another mean, and its response to one would be an extrapolation.
    """
    return gradient - gradient.mean(axis=(1, 2), keepdims=True)
