"""Estimators: what they are, and the registry that has them by kind.

An estimator is a class in a module of `estimators.kinds`: its parameters, what its
network sees of a tile, the network, and what they cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from infoscope.registry import Choice, Registry

if TYPE_CHECKING:
    import flax.linen as nn
    from jaxtyping import Float
    from numpy.typing import NDArray

N_OUTPUTS = 5  # of `layers.Head`: two means and a triangular matrix


class Estimator(Choice):
    """Base of the estimators.

    A subclass has a field `kind`, the literal name in the config, fields for its
    parameters and defaults for those below, and at least the methods `network` and
    `multiplications`. Networks are flax modules, which take seconds to import: import
    flax inside of `network`, because every job that Snakemake starts reads the config.

    Attributes
    ----------
    label
        Name in figures of an estimator that is called like its kind.
    sees_tiles
        Whether the network sees tiles, or else what `inputs` makes of them.
    flop_per_second
        Speed of training steps on one core (benchmarks/training_step.py).
    """

    registry: ClassVar[Registry[Estimator]] = Registry("kind")
    label: ClassVar[str]
    sees_tiles: ClassVar[bool] = True
    flop_per_second: ClassVar[float] = 4e10

    kind: str
    steps: int = Field(ge=1, description="Maximum number of gradient steps.")
    batch_size: int = Field(ge=1, description="Tiles per gradient step.")
    learning_rate: float = Field(gt=0, description="Peak learning rate of AdamW.")

    def check(self, side: int) -> None:
        """Refuse tiles of `side` × `side` pixels that the estimator cannot use.

        Raises
        ------
        ValueError
            One line that begins with the key, such as "stem: must divide …".
        """

    def inputs(
        self, tiles: Float[NDArray, "n side side n_bins"]
    ) -> Float[NDArray, "n ..."]:
        """Compute what the network sees, before it is standardised."""
        return tiles

    def network(self) -> nn.Module:
        """Build the network, which maps inputs (n, …) to the outputs of `Head`."""
        raise NotImplementedError

    def multiplications(self, side: int, n_bins: int) -> tuple[int, int]:
        """Count the multiplications per input: of the first layer, and of the others.

        Parameters
        ----------
        side, n_bins
            Pixels along a tile, and its number of bins.
        """
        raise NotImplementedError

    def activations(self, side: int) -> tuple[int, int]:
        """Count the values that layers make of an input: of the largest, and of all."""
        return 0, 0

    def input_nanoseconds(self, n_bins: int) -> float:
        """Time of `inputs` per pixel of a tile on one core."""
        return 0.0

    def flop_of_prediction(self, side: int, n_bins: int) -> float:
        """Floating-point operations of a prediction: two per multiplication."""
        return 2.0 * sum(self.multiplications(side, n_bins))

    def flop_of_step(self, side: int, n_bins: int) -> float:
        """Floating-point operations of a gradient step on a batch.

        Each product of the forward pass has two in the backward pass, but only one in
        the first layer: inputs need no gradient.
        """
        first, later = self.multiplications(side, n_bins)
        return self.batch_size * (4.0 * first + 6.0 * later)
