"""Networks that summarise a tile, and the loss that trains them."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

N_PARAMETERS = 2
N_OUTPUTS = 5
# Cholesky diagonals below this would let the determinant vanish.
SMALLEST_DIAGONAL = 1e-3
# Maps of this side are not averaged any further.
COARSEST = 8
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
    """Negative log-likelihood of a Gaussian, without the 2π.

    ½ |Lᵀ(t − m)|² − log det L.

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


class CNN(nn.Module):
    """Residual convolutional network without normalisation.

    Blocks of pixels become many features, because their means over the tile hold the
    power on small scales: each measures that of another combination of pixels and bins.
    Convolutions then combine neighbours, with few channels, for larger scales and for
    shapes; after each block, maps larger than 8² are averaged over 2². What every layer
    has found is averaged over the tile and goes to the head.

    Attributes
    ----------
    stem
        Side in pixels of the blocks.
    features
        Features of a block.
    channels
        Width of the residual blocks.
    blocks
        Number of residual blocks of two 3×3 convolutions.
    """

    stem: int
    features: int
    channels: int
    blocks: int

    @nn.compact
    def __call__(self, x: jax.Array) -> Outputs:
        """Map tiles (n, side, side, n_bins) to the outputs of `Head`."""
        x = space_to_depth(x, self.stem)
        fine = nn.gelu(nn.Dense(self.features)(x))
        found = [fine]
        x = DenseOfBoth(self.channels, name="Dense_1")(x, fine)
        for _ in range(self.blocks):
            y = nn.gelu(nn.Conv(self.channels, (3, 3))(x))
            z = nn.gelu(nn.Conv(self.channels, (3, 3))(y))
            found += [y, z]
            x = x + z
            if x.shape[1] > COARSEST:
                n, side, _, channels = x.shape
                x = x.reshape(n, side // 2, 2, side // 2, 2, channels).mean(axis=(2, 4))
        means = jnp.concatenate([maps.mean(axis=(1, 2)) for maps in found], axis=-1)
        return Head()(nn.gelu(nn.Dense(64, name="Dense_2")(Standardise()(means))))


class DeepLSS(nn.Module):
    """Network in the manner of DeepLSS (Kacprzak & Fluri 2022, arXiv 2203.09616).

    Two strided 5×5 convolutions, then residual blocks at a quarter of the resolution,
    without normalisation.

    Attributes
    ----------
    channels
        Filters of the residual blocks; the first convolution has half of them.
    blocks
        Number of residual blocks of two 3×3 convolutions.
    """

    channels: int
    blocks: int

    @nn.compact
    def __call__(self, x: jax.Array) -> Outputs:
        """Map tiles (n, side, side, n_bins) to the outputs of `Head`."""
        for channels in (self.channels // 2, self.channels):
            x = nn.relu(nn.Conv(channels, (5, 5), strides=(2, 2))(x))
        for _ in range(self.blocks):
            y = nn.relu(nn.Conv(self.channels, (3, 3))(x))
            x = nn.relu(x + nn.Conv(self.channels, (3, 3))(y))
        return Head()(x.mean(axis=(1, 2)))


class SpectrumNetwork(nn.Module):
    """Perceptron with two hidden layers.

    Attributes
    ----------
    hidden
        Width of the hidden layers.
    """

    hidden: int

    @nn.compact
    def __call__(self, x: jax.Array) -> Outputs:
        """Map binned spectra (n, n_features) to the outputs of `Head`."""
        for _ in range(2):
            x = nn.gelu(nn.Dense(self.hidden)(x))
        return Head()(x)
