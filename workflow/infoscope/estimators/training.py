"""Training of an estimator: tiles in, the best network out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from numpy.typing import NDArray

from infoscope.cosmology.config import Prior
from infoscope.cosmology.parameters import omega_m_s8
from infoscope.errors import InfoscopeError
from infoscope.estimators.batches import Inputs, batches
from infoscope.estimators.checkpoints import Checkpoints
from infoscope.estimators.config import TrainingConfig
from infoscope.estimators.estimator import Estimator
from infoscope.estimators.layers import negative_log_likelihood
from infoscope.models import Interval

Array = NDArray[np.float32]
Params = Any

WARM_UP = 0.05
CLIP_NORM = 1.0
WEIGHT_DECAY = 1e-5
# What a training that diverged does with its learning rate, once.
RETRY_FACTOR = 0.3
# Inputs from which a network measures its features before the first step.
START_BATCH = 512
# Inputs, and their bytes, that are predicted together. Time and memory depend on them,
# and the result does not: arrays of more than 32 MB are new pages of memory each time.
PREDICTION_BATCH, PREDICTION_BYTES = 512, 2**23


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
        rows = inputs.reshape(-1, inputs.shape[-1])
        mean = rows.mean(axis=0, dtype=np.float64)
        # `std` would need a copy of all inputs in double precision
        square = np.einsum("nf,nf->f", rows, rows, dtype=np.float64) / len(rows)
        std = np.sqrt(np.maximum(square - mean**2, 0))
        # A channel that a degradation made constant carries nothing: leave it at 0.
        constant = std <= 1e-6 * np.abs(mean)
        std = np.where(constant, 1.0, std)
        return cls(mean.astype(np.float32), std.astype(np.float32))

    def __call__(self, inputs: Any) -> Any:
        """Standardise inputs (…, n_features), NumPy's or JAX's."""
        return (inputs - self.mean) / self.std


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: a row of history.csv.

    Attributes
    ----------
    step
        Gradient steps made.
    learning_rate
        That of the last step.
    train_nll
        Mean loss of the batches since the evaluation before.
    validation_nll, validation_error
        Mean loss of the validation skies and its standard error, see `mean_error`.
    restarts
        How often the training diverged and was set back before this evaluation.
    """

    step: int
    learning_rate: float
    train_nll: float
    validation_nll: float
    validation_error: float
    restarts: int


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
    stopped
        Whether patience ran out or all steps were made.
    """

    params: Params
    standardisation: Standardisation
    history: list[Evaluation]
    stopped: Literal["patience", "steps"]

    @property
    def best(self) -> Evaluation:
        """The evaluation at the best step."""
        return best_of(self.history)

    @property
    def best_step(self) -> int:
        """Step of the weights."""
        return self.best.step


def best_of(history: list[Evaluation]) -> Evaluation:
    """Return the evaluation with the lowest validation loss, the first of equals."""
    return min(history, key=lambda evaluation: evaluation.validation_nll)


def mean_error(loss: NDArray[np.floating], target: NDArray[np.floating]) -> float:
    """Compute the error of the mean loss of skies that fill the prior evenly.

    What a smooth function of the parameters explains of the scatter between skies
    (wide posteriors here, narrow ones there) is no error of a mean over the prior.

    Parameters
    ----------
    loss : (n_sky,)
        Mean loss of each sky.
    target : (n_sky, 2)
        Scaled parameters of each sky.

    Returns
    -------
        The scatter about a quadratic function of the parameters over the root of
        n_sky; about the mean if there are too few skies for that.
    """
    x, y = target.T.astype(float)
    one = np.ones_like(x)
    terms = np.stack([one, x, y, x * x, x * y, y * y], axis=1)
    if len(loss) <= 2 * terms.shape[1]:
        terms = terms[:, :1]
    rest = loss - terms @ np.linalg.lstsq(terms, loss, rcond=None)[0]
    freedom = max(1, len(loss) - terms.shape[1])
    return float(np.sqrt((rest**2).sum() / freedom / len(loss)))


@dataclass(frozen=True)
class State:
    """A training between two looks: all that it needs to go on.

    Attributes
    ----------
    params, optimizer, best_params
        Weights, the state of the optimiser, and the weights at the best evaluation.
    history
        Looks so far.
    restarts
        How often the training was set back.
    """

    params: Params
    optimizer: Any
    best_params: Params
    history: list[Evaluation] = field(default_factory=list)
    restarts: int = 0

    @property
    def step(self) -> int:
        """Gradient steps made."""
        return self.history[-1].step if self.history else 0

    @property
    def arrays(self) -> dict[str, Any]:
        """Tree of all arrays."""
        return {
            "params": self.params,
            "optimizer": self.optimizer,
            "best_params": self.best_params,
        }


class Diverged(Exception):
    """A loss that is not finite."""


def inputs_of(config: Estimator, tiles: Inputs) -> Inputs:
    """Compute what the network sees of tiles, before standardising.

    Parameters
    ----------
    config
        The estimator.
    tiles
        Tiles of convergence (n_sky, n_tile, side, side, n_bins).

    Returns
    -------
        The tiles, or their binned spectra (n_sky, n_tile, n_features).
    """
    if config.sees_tiles:
        return tiles
    parts = [config.inputs(part) for part in predicted_together(tiles)]
    inputs = np.concatenate(parts)
    return Inputs.of_array(
        inputs.reshape(-1, tiles.n_tile, *inputs.shape[1:]), tiles.target
    )


def predicted_together(inputs: Inputs) -> Iterator[Array]:
    """Yield all inputs in order: whole skies, as many as are predicted together."""
    size = PREDICTION_BYTES // (4 * math.prod(inputs.shape))
    return inputs.parts(min(PREDICTION_BATCH, size))


def apply_symmetry(tiles: Array, symmetry: int) -> Array:
    """Turn or mirror tiles (n, side, side, n_bins) by symmetry 0 … 7 of the square."""
    if symmetry & 1:
        tiles = tiles.transpose(0, 2, 1, 3)
    rows, columns = (-1 if symmetry & bit else 1 for bit in (2, 4))
    return tiles[:, ::rows, ::columns]


def predict(config: Estimator, result: Result, tiles: Inputs) -> Array:
    """Summaries of tiles, scaled to [−1, 1].

    A network that sees tiles is asked about each in all eight orientations, and its
    answers are averaged: cosmology has no orientation, and what depends on it is noise.

    Parameters
    ----------
    config
        The estimator.
    result
        What `train` returned for it.
    tiles
        Tiles of convergence (n_sky, n_tile, side, side, n_bins).

    Returns
    -------
        Mean (n_sky, n_tile, 2) of the network for the scaled (Ω_m, S_8).
    """
    network, standardise = config.network(), result.standardisation

    @jax.jit
    def forward(params: Params, x: Array) -> jax.Array:
        outputs: Any = network.apply(params, standardise(x))
        return outputs[0]

    inputs = inputs_of(config, tiles)
    # each as an array, or JAX would copy all orientations before the first is done
    means = [
        np.mean(
            [np.asarray(forward(result.params, x)) for x in _orientations(part)],
            axis=0,
            dtype=np.float32,
        )
        for part in predicted_together(inputs)
    ]
    return np.concatenate(means).reshape(len(tiles.skies), tiles.n_tile, -1)


def _orientations(inputs: Array) -> list[Array]:
    """Tiles in all orientations; features have only one."""
    if inputs.ndim == 2:
        return [inputs]
    return [apply_symmetry(inputs, symmetry) for symmetry in range(8)]


def train(
    config: Estimator,
    training_config: TrainingConfig,
    train_tiles: Inputs,
    validation_tiles: Inputs,
    seed: int,
    log: Callable[[str], None],
    checkpoints: Checkpoints | None = None,
) -> Result:
    """Minimise the Gaussian negative log-likelihood.

    What happens at a step depends on the seed and the number of the step alone, so
    that a training that goes on from a checkpoint ends as if it had never stopped.

    Parameters
    ----------
    config
        Network and its optimisation.
    training_config
        Early stopping.
    train_tiles, validation_tiles
        Tiles of convergence (n_sky, n_tile, side, side, n_bins) and the scaled
        (Ω_m, S_8) of their skies, see `Bounds`.
    seed
        Decides initial weights, batches and symmetries.
    log
        Called with a line at each evaluation.
    checkpoints
        Where the state is kept between looks, if anywhere.

    Returns
    -------
        The network at its best evaluation of the validation tiles.

    Raises
    ------
    InfoscopeError
        If the loss is not finite, and neither with a smaller learning rate.
    """
    train_inputs = inputs_of(config, train_tiles)
    validation_inputs = inputs_of(config, validation_tiles)
    # read once for the scales of inputs and the first weights
    pool, order = train_inputs.first_pool(seed)
    standardise = Standardisation.of_inputs(pool)
    network = config.network()
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

    def losses_of(params: Params, x: jax.Array, target: jax.Array) -> jax.Array:
        outputs: Any = network.apply(params, standardise(x))
        return negative_log_likelihood(outputs, target)

    # Weights and moments are overwritten in place.
    @partial(jax.jit, donate_argnums=(0, 1))
    def step(
        params: Params,
        state: optax.OptState,
        x: jax.Array,
        target: jax.Array,
        factor: float,
    ) -> tuple[Params, optax.OptState, jax.Array]:
        def loss(params: Params) -> jax.Array:
            return losses_of(params, x, target).mean()

        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state, params)
        # an update of AdamW is proportional to the learning rate
        updates = jax.tree.map(lambda update: factor * update, updates)
        return optax.apply_updates(params, updates), state, value

    evaluate = jax.jit(losses_of)

    def evaluate_validation(params: Params) -> tuple[float, float]:
        target = validation_inputs.target.repeat(validation_inputs.n_tile, axis=0)
        start, losses = 0, []
        for part in predicted_together(validation_inputs):
            losses.append(evaluate(params, part, target[start : start + len(part)]))
            start += len(part)
        # neighbours share large scales: skies are independent, tiles are not
        by_sky = np.concatenate(losses).reshape(-1, validation_inputs.n_tile).mean(1)
        return float(by_sky.mean()), mean_error(by_sky, validation_inputs.target)

    def to_next_evaluation(state: State) -> State:
        every = training_config.evaluate_every
        stop = min(config.steps, (state.step // every + 1) * every)
        factor = RETRY_FACTOR**state.restarts
        # copied, because a step reuses the memory of what it is given
        params, moments = jax.tree.map(jnp.copy, (state.params, state.optimizer))
        values = []
        # A Python loop on purpose: on a CPU, convolutions inside lax.scan or
        # lax.while_loop run 40 times slower than in a compiled step (measured).
        for number in range(state.step, stop):
            x, target = next(source)
            if config.sees_tiles:
                # one symmetry a batch costs no copy; one a tile would
                x = apply_symmetry(
                    x, int(np.random.default_rng([seed, number]).integers(8))
                )
            params, moments, value = step(params, moments, x, target, factor)
            values.append(value)
        finite = np.isfinite(losses := np.asarray(jnp.stack(values)))
        if not finite.all():
            first = state.step + 1 + int(np.argmin(finite))
            raise Diverged(f"the training loss is not finite at step {first}")
        validation_nll, error = evaluate_validation(params)
        if not math.isfinite(validation_nll):
            raise Diverged(f"the validation loss is not finite at step {stop}")
        evaluation = Evaluation(
            step=stop,
            learning_rate=float(schedule(stop - 1)) * factor,
            train_nll=float(losses.mean()),
            validation_nll=validation_nll,
            validation_error=error,
            restarts=state.restarts,
        )
        history = [*state.history, evaluation]
        best_params = params if best_of(history) is evaluation else state.best_params
        return State(params, moments, best_params, history, state.restarts)

    state = _start(network, optimizer, standardise(pool[order[:START_BATCH]]), seed)
    del pool
    if checkpoints is not None:
        state = _resumed(state, checkpoints, log)
    resumed_at, began = state.step, time.monotonic()
    source = batches(train_inputs, config.batch_size, seed, state.step)
    while state.step < config.steps and not _exhausted(state, training_config):
        try:
            state = to_next_evaluation(state)
        except Diverged as problem:
            if state.restarts:
                raise InfoscopeError(
                    f"{problem}, and again with a smaller learning rate: "
                    "lower learning_rate of the estimator"
                ) from None
            log(f"{problem}: back to step {state.step} with {RETRY_FACTOR} × the rate")
            state = replace(state, restarts=state.restarts + 1)
            source = batches(train_inputs, config.batch_size, seed, state.step)
            continue
        if checkpoints is not None:
            record = {
                "history": [asdict(evaluation) for evaluation in state.history],
                "restarts": state.restarts,
            }
            checkpoints.save(state.step, state.arrays, record)
        elapsed = time.monotonic() - began
        eta = elapsed / (state.step - resumed_at) * (config.steps - state.step)
        evaluation = state.history[-1]
        log(
            f"step {evaluation.step}/{config.steps}  train {evaluation.train_nll:.4f}  "
            f"validation {evaluation.validation_nll:.4f}  "
            f"learning rate {evaluation.learning_rate:.2e}  "
            f"elapsed {elapsed:.0f} s  ETA {eta:.0f} s"
        )
    return Result(
        params=jax.device_get(state.best_params),
        standardisation=standardise,
        history=state.history,
        stopped="steps" if state.step >= config.steps else "patience",
    )


def _start(
    network: nn.Module,
    optimizer: optax.GradientTransformation,
    first: Array,
    seed: int,
) -> State:
    key = jax.random.key(int(np.random.default_rng(seed).integers(2**31)))
    params: Params = jax.jit(network.init)(key, first)
    return State(params, optimizer.init(params), params)


def _resumed(
    state: State, checkpoints: Checkpoints, log: Callable[[str], None]
) -> State:
    """Take over what a training that was interrupted has left."""
    found = checkpoints.restore(state.arrays)
    if found is None:
        return state
    arrays, record = found
    history = [Evaluation(**evaluation) for evaluation in record["history"]]
    log(f"goes on from the checkpoint at step {history[-1].step}")
    return State(**arrays, history=history, restarts=record["restarts"])


def _exhausted(state: State, training_config: TrainingConfig) -> bool:
    """Whether too many looks have passed since the best one."""
    if not state.history:
        return False
    since = len(state.history) - 1 - state.history.index(best_of(state.history))
    return since >= training_config.patience
