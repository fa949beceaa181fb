"""Operations and activations of networks: what trainings take of time and memory."""

from __future__ import annotations

from infoscope.estimators.config import CNNConfig, DeepLSSConfig, Estimator

# Sizes that `networks` decides, which imports too much to be imported here: a test
# compares all numbers with what the compiler counts.
COARSEST = 8
DENSE = 64
N_OUTPUTS = 5


def multiplications(estimator: Estimator, side: int, n_bins: int) -> tuple[int, int]:
    """Count the multiplications of one input: of the first layer, and of the others.

    Parameters
    ----------
    estimator
        A network.
    side, n_bins
        Pixels along a tile, and its bins.
    """
    match estimator:
        case CNNConfig(stem=stem, features=features, channels=channels):
            width = side // stem
            pixels = stem**2 * n_bins
            # the blocks are seen twice: as pixels, and as features
            first = width**2 * pixels * (features + channels)
            later = width**2 * features * channels
            for _ in range(estimator.blocks):
                later += width**2 * 2 * 9 * channels**2
                if width > COARSEST:
                    width //= 2
            found = features + 2 * estimator.blocks * channels
            return first, later + found * DENSE + DENSE * N_OUTPUTS
        case DeepLSSConfig(channels=channels, blocks=blocks):
            half = channels // 2
            first = (side // 2) ** 2 * 25 * n_bins * half
            convolutions = 25 * half * channels + blocks * 2 * 9 * channels**2
            return first, (side // 4) ** 2 * convolutions + channels * N_OUTPUTS
    features = n_bins * (n_bins + 1) // 2 * estimator.n_ell
    hidden = estimator.hidden
    return features * hidden, hidden**2 + hidden * N_OUTPUTS


def flop_of_prediction(estimator: Estimator, side: int, n_bins: int) -> float:
    """Operations of the forward pass of one input: two for each multiplication."""
    return 2.0 * sum(multiplications(estimator, side, n_bins))


def flop_of_step(estimator: Estimator, side: int, n_bins: int) -> float:
    """Operations of the forward and the backward pass of a batch.

    To each product of the forward pass belong two of the backward pass, but only one
    in the first layer: inputs need no gradient.
    """
    first, later = multiplications(estimator, side, n_bins)
    return estimator.batch_size * (4.0 * first + 6.0 * later)


def activations(estimator: CNNConfig | DeepLSSConfig, side: int) -> tuple[int, int]:
    """Count the values that layers make of one tile: of the largest, and of all."""
    match estimator:
        case CNNConfig(stem=stem, features=features, channels=channels):
            width = side // stem
            largest = width**2 * features
            return largest, largest + width**2 * channels * 2 * estimator.blocks
        case DeepLSSConfig(channels=channels, blocks=blocks):
            largest = (side // 2) ** 2 * (channels // 2)
            return largest, largest + (side // 4) ** 2 * channels * (1 + 2 * blocks)
