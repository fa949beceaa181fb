"""Layers that networks share, and the loss that trains them."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from infoscope.estimators.estimator import N_OUTPUTS

N_PARAMETERS = 2
# Cholesky diagonals below this would let the determinant vanish.
SMALLEST_DIAGONAL = 1e-3
# A feature that is the same for all inputs stays as it is.
SMALLEST_STD = 1e-6

Outputs = tuple[jax.Array, jax.Array]


class Head(nn.Module):
    """Dense layer to a mean and the Cholesky factor of the inverse covariance.

    The matrix of weights starts small, so that a training starts from a mean of zero
    and a unit-like covariance, whatever the features are.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> Outputs:
        """Map features to a Gaussian.

        Parameters
        ----------
        x : (n, n_features)
            Features.

        Returns
        -------
        mean : (n, 2)
            Mean of the scaled parameters.
        cholesky : (n, 2, 2)
            Lower-triangular L with L Lᵀ = inverse covariance.
        """
        init = nn.initializers.variance_scaling(0.01, "fan_in", "truncated_normal")
        raw = nn.Dense(N_OUTPUTS, kernel_init=init)(x)
        diagonal = nn.softplus(raw[:, 2:4]) + SMALLEST_DIAGONAL
        zero = jnp.zeros_like(raw[:, 4])
        rows = [diagonal[:, 0], zero, raw[:, 4], diagonal[:, 1]]
        cholesky = jnp.stack(rows, axis=-1).reshape(-1, N_PARAMETERS, N_PARAMETERS)
        return raw[:, :N_PARAMETERS], cholesky


def negative_log_likelihood(outputs: Outputs, target: jax.Array) -> jax.Array:
    r"""Negative log-likelihood of a Gaussian, without the 2π.

    .. math:: \tfrac{1}{2} |L^T (t - m)|^2 - \log \det L

    Parameters
    ----------
    outputs
        Mean (n, 2) and Cholesky factor (n, 2, 2) of the inverse covariance.
    target : (n, 2)
        True scaled parameters.

    Returns
    -------
        Array (n,).
    """
    mean, cholesky = outputs
    # Elementwise, not einsum: matrix products may drop to lower precision on a GPU.
    residual = target - mean
    white = jnp.sum(cholesky * residual[:, :, None], axis=1)
    log_det = jnp.sum(jnp.log(jnp.diagonal(cholesky, axis1=1, axis2=2)), axis=-1)
    return 0.5 * jnp.sum(white**2, axis=-1) - log_det


def space_to_depth(x: jax.Array, block: int) -> jax.Array:
    """Turn blocks of pixels into channels.

    Parameters
    ----------
    x : (n, side, side, channels)
        Tiles; `block` divides `side`.
    block
        Side of a block in pixels.

    Returns
    -------
        Array of shape (n, side / block, side / block, block² · channels).
    """
    n, height, width, channels = x.shape
    x = x.reshape(n, height // block, block, width // block, block, channels)
    x = x.transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, height // block, width // block, block * block * channels)


class Standardise(nn.Module):
    """Shift and scale of features that start from the statistics of a first batch.

    Averages over a tile vary by per cents from one cosmology to the next: without this
    the layer after them would have to subtract large numbers.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Standardise features (n, n_features)."""
        shift = self.param("shift", lambda _: -x.mean(axis=0))
        scale = self.param("scale", lambda _: 1 / (x.std(axis=0) + SMALLEST_STD))
        return (x + shift) * scale


class DenseOfBoth(nn.Module):
    """Dense layer of two maps as if they were joined along their channels.

    They are not: XLA multiplies a joined matrix five times more slowly on a CPU.

    Attributes
    ----------
    channels
        Width of the layer.
    """

    channels: int

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        """Map x (…, m) and y (…, n) to (…, channels)."""
        split = x.shape[-1]
        shape = (split + y.shape[-1], self.channels)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.channels,))
        return x @ kernel[:split] + y @ kernel[split:] + bias
