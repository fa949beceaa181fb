"""A perceptron on binned spectra, which uses only two-point statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from infoscope.estimators.binned_spectra import binned_spectra
from infoscope.estimators.estimator import N_OUTPUTS, Estimator

if TYPE_CHECKING:
    import flax.linen as nn
    import jax
    from jaxtyping import Float, Float32
    from numpy.typing import NDArray

    from infoscope.estimators.layers import Outputs

# nanoseconds per pixel to compute the spectra of a tile, per bin and per pair of bins
BIN_NS, PAIR_NS = 20.0, 12.0


class PowerSpectrum(Estimator):
    """Perceptron on binned auto- and cross-spectra of the same tiles."""

    kind: Literal["power_spectrum"] = "power_spectrum"
    label = "Power spectrum"
    sees_tiles = False
    sees_spectra = True
    flop_per_second = 4e10

    n_ell: int = Field(8, ge=1, description="Number of bins in ℓ.")
    hidden: int = Field(64, ge=1, description="Width of the two hidden layers.")
    steps: int = Field(3000, ge=1, description="Maximum number of gradient steps.")
    batch_size: int = Field(256, ge=1, description="Tiles per gradient step.")
    learning_rate: float = Field(8e-3, gt=0, description="Peak learning rate of AdamW.")
    weight_decay: float = Field(0.3, ge=0, description="Weight decay of AdamW.")

    def check(self, side: int) -> None:
        """Check that a tile has as many annuli as there are bins in ℓ."""
        if self.n_ell > side // 2:
            raise ValueError(f"n_ell: must be at most {side // 2}")

    def inputs(
        self, tiles: Float[NDArray, "n side side n_bins"]
    ) -> Float32[NDArray, "n n_features"]:
        """Compute the binned spectra of tiles."""
        return binned_spectra(tiles, self.n_ell).astype(np.float32)

    def network(self) -> nn.Module:
        """Build a perceptron with two hidden layers."""
        import flax.linen as nn

        from infoscope.estimators.layers import Head

        class Network(nn.Module):
            hidden: int

            @nn.compact
            def __call__(self, x: Float[jax.Array, "n n_features"]) -> Outputs:
                for _ in range(2):
                    x = nn.gelu(nn.Dense(self.hidden)(x))
                return Head()(x)

        return Network(self.hidden)

    def multiplications(self, side: int, n_bins: int) -> tuple[int, int]:
        """Count the multiplications per input, in the first layer and in all others."""
        n_features = n_bins * (n_bins + 1) // 2 * self.n_ell
        return n_features * self.hidden, self.hidden**2 + self.hidden * N_OUTPUTS

    def input_nanoseconds(self, n_bins: int) -> float:
        """Return the time of `inputs` per pixel of a tile on one core."""
        return BIN_NS * n_bins + PAIR_NS * n_bins * (n_bins + 1) // 2
