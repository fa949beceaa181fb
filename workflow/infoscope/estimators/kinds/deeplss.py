"""The network of DeepLSS (Kacprzak & Fluri 2022, arXiv 2203.09616)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from infoscope.estimators.estimator import N_OUTPUTS, Estimator

if TYPE_CHECKING:
    import flax.linen as nn
    import jax
    from jaxtyping import Float

    from infoscope.estimators.layers import Outputs


class DeepLSS(Estimator):
    """Residual network with the layer sizes of DeepLSS, for a GPU."""

    kind: Literal["deeplss"] = "deeplss"
    label = "DeepLSS"
    flop_per_second = 8e10

    channels: int = Field(128, ge=2, description="Filters of the residual blocks.")
    blocks: int = Field(10, ge=1, description="Number of residual blocks.")
    steps: int = Field(20000, ge=1, description="Maximum number of gradient steps.")
    batch_size: int = Field(32, ge=1, description="Tiles per gradient step.")
    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate of AdamW.")

    def network(self) -> nn.Module:
        """Build a residual network like that of DeepLSS.

        Two strided 5×5 convolutions are followed by residual blocks at a quarter of the
        resolution, without normalisation.
        """
        import flax.linen as nn

        from infoscope.estimators.layers import Head

        class Network(nn.Module):
            config: DeepLSS

            @nn.compact
            def __call__(self, x: Float[jax.Array, "n side side n_bins"]) -> Outputs:
                channels = self.config.channels
                for width in (channels // 2, channels):
                    x = nn.relu(nn.Conv(width, (5, 5), strides=(2, 2))(x))
                for _ in range(self.config.blocks):
                    y = nn.relu(nn.Conv(channels, (3, 3))(x))
                    x = nn.relu(x + nn.Conv(channels, (3, 3))(y))
                return Head()(x.mean(axis=(1, 2)))

        return Network(self)

    def multiplications(self, side: int, n_bins: int) -> tuple[int, int]:
        """Count the multiplications per tile, in the first layer and in all others."""
        half = self.channels // 2
        first = (side // 2) ** 2 * 25 * n_bins * half
        convolutions = 25 * half * self.channels + self.blocks * 18 * self.channels**2
        return first, (side // 4) ** 2 * convolutions + self.channels * N_OUTPUTS

    def activations(self, side: int) -> tuple[int, int]:
        """Count the values per tile in the largest layer, and in all layers."""
        largest = (side // 2) ** 2 * (self.channels // 2)
        blocks = (side // 4) ** 2 * self.channels * (1 + 2 * self.blocks)
        return largest, largest + blocks
