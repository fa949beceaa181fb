r"""Attribution: which parts of a tile a network's estimate is made of.

Integrated gradients (Sundararajan, Taly & Yan 2017, arXiv 1703.01365) give the pixel
:math:`x_p` of a tile the part

.. math:: x_p \bar g_p, \qquad
          \bar g_p = \int_0^1 \frac{\partial f}{\partial x_p}(\alpha x)\,d\alpha

of the estimate :math:`f(x) - f(0)`. The baseline, a tile of zeros, is the mean map:
the mean of a tile is not observable and has been subtracted. So any part :math:`y` of
the tile (a band of scales, a range of values) has :math:`\sum_p y_p \bar g_p` of the
estimate, and parts that sum to the tile have all of :math:`f(x) - f(0)`. Gradients at
the tile itself are saliencies (Simonyan et al. 2013, arXiv 1312.6034).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Estimate = Callable[[Array], jax.Array]

# Points along the path, until the parts of each tile sum to its estimate within this
# share of the scatter of the estimates.
NODES = (8, 16, 32, 64, 128)
TOLERANCE = 0.01


def gradient_of(estimate: Estimate) -> Estimate:
    """Compile the gradients of estimates in their own tiles, of the shape of these."""
    return jax.jit(jax.grad(lambda tiles: estimate(tiles).sum()))


def path_gradient(gradient: Estimate, tiles: Array, nodes: int) -> Array:
    """Average gradients along the straight path from zero to each tile.

    Parameters
    ----------
    gradient
        What `gradient_of` returns.
    tiles : (n, side, side, n_bins)
        Where the paths end.
    nodes
        Points of the Gauss-Legendre quadrature: exact for polynomials of degree
        2 nodes.

    Returns
    -------
        Array of the shape of the tiles.
    """
    x, weights = np.polynomial.legendre.leggauss(nodes)
    total = jnp.zeros_like(tiles)
    for point, weight in zip((1 + x) / 2, weights / 2, strict=True):
        total += float(weight) * gradient(np.float32(point) * tiles)
    return np.asarray(total)


def completeness_error(
    estimate: Estimate, gradient: Estimate, tiles: Array, nodes: int
) -> float:
    """Largest error of the sum of the parts, in units of the estimates' scatter."""
    parts = (tiles * path_gradient(gradient, tiles, nodes)).sum(axis=(1, 2, 3))
    values = np.asarray(estimate(tiles))
    whole = values - np.asarray(estimate(np.zeros_like(tiles[:1])))
    return float(np.abs(parts - whole).max() / values.std())


def enough_nodes(
    estimate: Estimate, gradient: Estimate, tiles: Array
) -> tuple[int, float]:
    """Find out how many points the path needs, and the error that is left."""
    for nodes in NODES:
        error = completeness_error(estimate, gradient, tiles, nodes)
        if error < TOLERANCE:
            break
    return nodes, error


def without_mean(gradient: Array) -> Array:
    """Subtract the mean of each tile and bin.

    Tiles have no mean, so that no estimate changes; and what a network would say of a
    mean that it has never seen is in no part of a tile.
    """
    centred: Array = gradient - gradient.mean(axis=(1, 2), keepdims=True)
    return centred
