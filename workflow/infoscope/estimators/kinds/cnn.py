"""A residual convolutional network that is fast on CPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from infoscope.estimators.estimator import N_OUTPUTS, Estimator

if TYPE_CHECKING:
    import flax.linen as nn
    import jax
    from jaxtyping import Float

    from infoscope.estimators.layers import Outputs

# smallest side of the maps in pixels
COARSEST = 8
DENSE = 64  # width of the layer before the head


class CNN(Estimator):
    """Residual convolutional network on tiles."""

    kind: Literal["cnn"] = "cnn"
    label = "CNN"
    flop_per_second = 4.5e10

    stem: int = Field(
        4, ge=1, description="Side in pixels of the blocks of the first layer."
    )
    features: int = Field(
        128, ge=1, description="Features that the first layer computes per block."
    )
    channels: int = Field(16, ge=1, description="Channels of the residual blocks.")
    blocks: int = Field(2, ge=1, description="Number of residual blocks.")
    steps: int = Field(4000, ge=1, description="Maximum number of gradient steps.")
    batch_size: int = Field(64, ge=1, description="Tiles per gradient step.")
    learning_rate: float = Field(4e-3, gt=0, description="Peak learning rate of AdamW.")

    def check(self, side: int) -> None:
        """Check that blocks of the stem fill a tile, and that it can be halved."""
        if side % self.stem:
            raise ValueError(f"stem: must divide the tile side {side}")
        width = side // self.stem
        for number in range(self.blocks):
            if width <= COARSEST:
                return
            if width % 2:
                fewer = f"at most {number} blocks, or " if number else ""
                raise ValueError(
                    f"blocks: tiles of {side} pixels can be halved {number} times "
                    f"after the stem; choose {fewer}survey.patch.pixels that are a "
                    "power of two"
                )
            width //= 2

    def network(self) -> nn.Module:
        """Build a residual network without normalisation.

        The first layer maps each block of pixels to many features. Their means over the
        tile contain the power on small scales, because each feature measures the power
        of a different combination of pixels and bins. Convolutions with few channels
        then combine neighbouring blocks, which adds larger scales and shapes. After
        each residual block, maps larger than 8² pixels are averaged over 2² pixels. The
        outputs of all layers are averaged over the tile and passed to the head.
        """
        import flax.linen as nn
        import jax.numpy as jnp

        from infoscope.estimators.layers import (
            DenseOfBoth,
            Head,
            Standardise,
            space_to_depth,
        )

        class Network(nn.Module):
            config: CNN

            @nn.compact
            def __call__(self, x: Float[jax.Array, "n side side n_bins"]) -> Outputs:
                channels = self.config.channels
                x = space_to_depth(x, self.config.stem)
                fine = nn.gelu(nn.Dense(self.config.features)(x))
                layers = [fine]
                x = DenseOfBoth(channels, name="Dense_1")(x, fine)
                for _ in range(self.config.blocks):
                    y = nn.gelu(nn.Conv(channels, (3, 3))(x))
                    z = nn.gelu(nn.Conv(channels, (3, 3))(y))
                    layers += [y, z]
                    x = x + z
                    if x.shape[1] > COARSEST:
                        n, side, _, _ = x.shape
                        x = x.reshape(n, side // 2, 2, side // 2, 2, channels)
                        x = x.mean(axis=(2, 4))
                means = [maps.mean(axis=(1, 2)) for maps in layers]
                x = Standardise()(jnp.concatenate(means, axis=-1))
                return Head()(nn.gelu(nn.Dense(DENSE, name="Dense_2")(x)))

        return Network(self)

    def multiplications(self, side: int, n_bins: int) -> tuple[int, int]:
        """Count the multiplications per tile, in the first layer and in all others."""
        width = side // self.stem
        pixels = self.stem**2 * n_bins
        # the pixels of a block are inputs of two layers
        first = width**2 * pixels * (self.features + self.channels)
        others = width**2 * self.features * self.channels
        for _ in range(self.blocks):
            others += width**2 * 2 * 9 * self.channels**2
            if width > COARSEST:
                width //= 2
        means = self.features + 2 * self.blocks * self.channels
        return first, others + means * DENSE + DENSE * N_OUTPUTS

    def activations(self, side: int) -> tuple[int, int]:
        """Count the values per tile in the largest layer, and in all layers."""
        width = side // self.stem
        largest = width**2 * self.features
        return largest, largest + width**2 * self.channels * 2 * self.blocks
