"""Estimators: their base class and the registry of their kinds.

An estimator is a class in a module of `estimators.kinds`. It defines its parameters,
the inputs that its network gets from a tile, the network, and the costs of both.
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
    """Base class of all estimators.

    A subclass has a field `kind`, whose literal value is the name in the config, fields
    for its parameters, defaults for the fields below, and at least the methods
    `network` and `multiplications`. Networks are flax modules. Flax takes seconds to
    import, and every job reads the config: import it within `network`.

    Attributes
    ----------
    label
        Name in figures if the estimator has the name of its kind in the config.
    sees_tiles
        Whether the inputs of the network are the tiles themselves; otherwise `inputs`
        computes them.
    sees_spectra
        Whether all inputs follow from the binned auto- and cross-spectra of a tile.
    flop_per_second
        Speed of training steps on one core (benchmarks/training_step.py).
    """

    registry: ClassVar[Registry[Estimator]] = Registry("kind")
    label: ClassVar[str]
    sees_tiles: ClassVar[bool] = True
    sees_spectra: ClassVar[bool] = False
    flop_per_second: ClassVar[float] = 4e10

    kind: str
    steps: int = Field(ge=1, description="Maximum number of gradient steps.")
    batch_size: int = Field(ge=1, description="Tiles per gradient step.")
    learning_rate: float = Field(gt=0, description="Peak learning rate of AdamW.")
    weight_decay: float = Field(1e-5, ge=0, description="Weight decay of AdamW.")

    def check(self, side: int) -> None:
        """Check the parameters against the tiles of a study.

        Parameters
        ----------
        side
            Pixels along a side of a tile.

        Raises
        ------
        ValueError
            If the estimator cannot use the tiles: one line that starts with the key of
            a parameter, such as "stem: must divide …".
        """

    def inputs(
        self, tiles: Float[NDArray, "n side side n_bins"]
    ) -> Float[NDArray, "n ..."]:
        """Compute the inputs of the network from tiles, before standardisation."""
        return tiles

    def network(self) -> nn.Module:
        """Build the network, which maps inputs (n, …) to the outputs of `Head`."""
        raise NotImplementedError

    def multiplications(self, side: int, n_bins: int) -> tuple[int, int]:
        """Count the multiplications per input, in the first layer and in all others.

        Parameters
        ----------
        side
            Pixels along a side of a tile.
        n_bins
            Number of bins.
        """
        raise NotImplementedError

    def activations(self, side: int) -> tuple[int, int]:
        """Count the values per input in the largest layer, and in all layers.

        Parameters
        ----------
        side
            Pixels along a side of a tile.
        """
        return 0, 0

    def input_nanoseconds(self, n_bins: int) -> float:
        """Return the time of `inputs` per pixel of a tile on one core."""
        return 0.0

    def flop_of_prediction(self, side: int, n_bins: int) -> float:
        """Count the floating-point operations of a prediction, two per product."""
        return 2.0 * sum(self.multiplications(side, n_bins))

    def flop_of_step(self, side: int, n_bins: int) -> float:
        """Count the floating-point operations of a gradient step on a batch.

        The backward pass has two products for each product of the forward pass. In the
        first layer it has only one, because the inputs need no gradient.
        """
        first, others = self.multiplications(side, n_bins)
        return self.batch_size * (4.0 * first + 6.0 * others)
