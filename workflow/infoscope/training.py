"""Training of an estimator: tiles in, the best network out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from numpy.typing import NDArray

from infoscope.config import (
    CNNConfig,
    PowerSpectrumConfig,
    Prior,
    TrainingConfig,
)
from infoscope.cosmology import omega_m_s8
from infoscope.errors import InfoscopeError
from infoscope.models import Interval
from infoscope.networks import CNN, Outputs, SpectrumNetwork, gaussian_nll
from infoscope.power_spectra import binned_spectra

Array = NDArray[np.float32]
EstimatorConfig = CNNConfig | PowerSpectrumConfig
Params = Any

WARM_UP = 0.05
CLIP_NORM = 1.0
WEIGHT_DECAY = 1e-5
# Memory of a prediction, not its result, depends on this.
PREDICTION_BATCH = 512


@dataclass(frozen=True)
class Bounds:
    """Ranges of (Ω_m, S_8) that are scaled to [−1, 1].

    Attributes
    ----------
    low, high : (2,)
        Edges.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of_prior(cls, prior: Prior) -> Bounds:
        """Bounding box of the prior in (Ω_m, S_8)."""

        def corner(side: int) -> NDArray[np.float64]:
            interval: tuple[Interval, Interval] = (prior.omega_m, prior.sigma_8)
            theta = np.array([[interval[0][side], interval[1][side]]])
            return omega_m_s8(theta).ravel()

        return cls(corner(0), corner(1))

    def scale(self, parameters: NDArray[np.floating]) -> Array:
        """Physical (…, 2) to [−1, 1]."""
        scaled = 2 * (parameters - self.low) / (self.high - self.low) - 1
        return np.asarray(scaled, dtype=np.float32)

    def unscale(self, scaled: NDArray[np.floating]) -> NDArray[np.float64]:
        """Inverse of `scale`."""
        unit = (np.asarray(scaled, dtype=np.float64) + 1) / 2
        return self.low + unit * (self.high - self.low)


@dataclass(frozen=True)
class Standardisation:
    """Shift and scale of each channel or feature of the input.

    Attributes
    ----------
    mean, std : (n_features,)
        Statistics of the training inputs.
    """

    mean: Array
    std: Array

    @classmethod
    def of_inputs(cls, inputs: Array) -> Standardisation:
        """Measure the statistics over all axes but the last."""
        axes = tuple(range(inputs.ndim - 1))
        mean = inputs.mean(axis=axes, dtype=np.float64)
        std = inputs.std(axis=axes, dtype=np.float64)
        # A channel that a degradation made constant carries nothing: leave it at 0.
        constant = std <= 1e-6 * np.abs(mean)
        std = np.where(constant, 1.0, std)
        return cls(mean.astype(np.float32), std.astype(np.float32))

    def __call__(self, inputs: Array) -> Array:
        """Standardise inputs (…, n_features)."""
        return (inputs - self.mean) / self.std


@dataclass(frozen=True)
class Look:
    """One evaluation: a row of history.csv."""

    step: int
    learning_rate: float
    train_nll: float
    validation_nll: float


@dataclass(frozen=True)
class Result:
    """A trained estimator.

    Attributes
    ----------
    params
        Weights at the step with the lowest validation loss.
    standardisation
        Statistics of the training inputs.
    history
        Evaluations, in order.
    best_step
        Step of the weights.
    stopped
        Whether patience ran out or all steps were made.
    """

    params: Params
    standardisation: Standardisation
    history: list[Look]
    best_step: int
    stopped: Literal["patience", "steps"]

    @property
    def best(self) -> Look:
        """The evaluation at the best step."""
        return next(look for look in self.history if look.step == self.best_step)


def network_of(config: EstimatorConfig) -> nn.Module:
    """Build the network that a config describes."""
    if isinstance(config, CNNConfig):
        return CNN(config.stem, config.channels, config.blocks)
    return SpectrumNetwork(config.hidden)


def inputs_of(config: EstimatorConfig, tiles: NDArray[np.floating]) -> Array:
    """Compute what the network sees of tiles, before standardising.

    Parameters
    ----------
    config
        The estimator.
    tiles : (n, side, side, n_bins)
        Tiles of convergence.

    Returns
    -------
        The tiles, or their binned spectra (n, n_features).
    """
    if isinstance(config, CNNConfig):
        return np.asarray(tiles, dtype=np.float32)
    return binned_spectra(tiles, config.n_ell).astype(np.float32)


def augment(tiles: Array, generator: np.random.Generator) -> Array:
    """Apply one of the eight symmetries of the square, the same to a whole batch."""
    # One symmetry a batch costs no copy; one a tile would.
    if generator.random() < 0.5:
        tiles = tiles.transpose(0, 2, 1, 3)
    rows, columns = generator.choice([1, -1], size=2)
    return tiles[:, ::rows, ::columns]


def predict(
    config: EstimatorConfig, result: Result, tiles: NDArray[np.floating]
) -> Array:
    """Summaries of tiles, scaled to [−1, 1].

    Parameters
    ----------
    config
        The estimator.
    result
        What `train` returned for it.
    tiles : (n, side, side, n_bins)
        Tiles of convergence.

    Returns
    -------
        Mean (n, 2) of the network for the scaled (Ω_m, S_8).
    """
    forward = jax.jit(network_of(config).apply)
    inputs = result.standardisation(inputs_of(config, tiles))
    means = [forward(result.params, part)[0] for part in _parts(inputs)]
    return np.concatenate([np.asarray(mean) for mean in means])


def train(
    estimator_config: EstimatorConfig,
    training_config: TrainingConfig,
    train_x: Array,
    train_target: Array,
    validation_x: Array,
    validation_target: Array,
    seed: int,
    log: Callable[[str], None],
) -> Result:
    """Minimise the Gaussian negative log-likelihood.

    Parameters
    ----------
    estimator_config
        Network and its optimisation.
    training_config
        Early stopping.
    train_x, validation_x : (n, side, side, n_bins)
        Tiles of convergence.
    train_target, validation_target : (n, 2)
        Scaled (Ω_m, S_8), see `Bounds`.
    seed
        Decides initial weights, batches and symmetries.
    log
        Called with a line at each evaluation.

    Returns
    -------
        The network at its best look at the validation tiles.

    Raises
    ------
    InfoscopeError
        If the loss is not finite.
    """
    config = estimator_config
    train_inputs = inputs_of(config, train_x)
    standardise = Standardisation.of_inputs(train_inputs)
    train_inputs = standardise(train_inputs)
    validation_inputs = standardise(inputs_of(config, validation_x))

    network = network_of(config)
    schedule = optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=config.learning_rate,
        warmup_steps=max(1, round(WARM_UP * config.steps)),
        decay_steps=max(2, config.steps),
    )
    optimizer = optax.chain(
        optax.clip_by_global_norm(CLIP_NORM),
        optax.adamw(schedule, weight_decay=WEIGHT_DECAY),
    )

    def loss(params: Params, x: jax.Array, target: jax.Array) -> jax.Array:
        outputs: Any = network.apply(params, x)
        return gaussian_nll(outputs, target)

    # Weights and moments are overwritten in place.
    @partial(jax.jit, donate_argnums=(0, 1))
    def step(
        params: Params, state: optax.OptState, x: jax.Array, target: jax.Array
    ) -> tuple[Params, optax.OptState, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(params, x, target)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    forward: Callable[[Params, Array], Outputs] = jax.jit(network.apply)
    evaluate_loss = jax.jit(gaussian_nll)

    def validation_nll(params: Params) -> float:
        parts = [forward(params, part) for part in _parts(validation_inputs)]
        outputs = (
            jnp.concatenate([mean for mean, _ in parts]),
            jnp.concatenate([cholesky for _, cholesky in parts]),
        )
        return float(evaluate_loss(outputs, validation_target))

    generator = np.random.default_rng(seed)
    key = jax.random.key(int(generator.integers(2**31)))
    params: Params = jax.jit(network.init)(key, train_inputs[:1])
    state = optimizer.init(params)
    batches = _batches(len(train_inputs), config.batch_size, generator)

    best_params, best_step, best_nll = params, 0, math.inf
    history: list[Look] = []
    losses: list[jax.Array] = []
    looks_without_progress = 0
    stopped: Literal["patience", "steps"] = "steps"
    began = time.monotonic()
    # A Python loop on purpose: on a CPU, convolutions inside lax.scan or
    # lax.while_loop run 40 times slower than in a compiled step (measured).
    for number in range(1, config.steps + 1):
        chosen = next(batches)
        x = train_inputs[chosen]
        if isinstance(config, CNNConfig):
            x = augment(x, generator)
        params, state, value = step(params, state, x, train_target[chosen])
        losses.append(value)
        if number % training_config.evaluate_every and number != config.steps:
            continue

        values = np.asarray(jnp.stack(losses))
        if not np.isfinite(values).all():
            first = number - len(values) + 1 + int(np.argmin(np.isfinite(values)))
            raise InfoscopeError(
                f"the training loss is not finite at step {first}: "
                "lower learning_rate of the estimator"
            )
        losses.clear()
        look = Look(
            step=number,
            learning_rate=float(schedule(number - 1)),
            train_nll=float(values.mean()),
            validation_nll=validation_nll(params),
        )
        if not math.isfinite(look.validation_nll):
            raise InfoscopeError(
                f"the validation loss is not finite at step {number}: "
                "lower learning_rate of the estimator"
            )
        history.append(look)
        elapsed = time.monotonic() - began
        eta = elapsed / number * (config.steps - number)
        log(
            f"step {number}/{config.steps}  train {look.train_nll:.4f}  "
            f"validation {look.validation_nll:.4f}  "
            f"learning rate {look.learning_rate:.2e}  "
            f"elapsed {elapsed:.0f} s  ETA {eta:.0f} s"
        )
        if look.validation_nll < best_nll:
            # Copied, because the next step reuses the memory of `params`.
            best_params = jax.tree.map(jnp.copy, params)
            best_step, best_nll = number, look.validation_nll
            looks_without_progress = 0
        else:
            looks_without_progress += 1
            if looks_without_progress >= training_config.patience:
                if number < config.steps:
                    stopped = "patience"
                break
    return Result(
        params=jax.device_get(best_params),
        standardisation=standardise,
        history=history,
        best_step=best_step,
        stopped=stopped,
    )


def _parts(inputs: Array) -> Iterator[Array]:
    for start in range(0, len(inputs), PREDICTION_BATCH):
        yield inputs[start : start + PREDICTION_BATCH]


def _batches(
    n: int, batch_size: int, generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield indices of batches of one size, without repetition within an epoch."""
    size = min(batch_size, n)
    while True:
        order = generator.permutation(n)
        for start in range(0, n - size + 1, size):
            yield order[start : start + size]
