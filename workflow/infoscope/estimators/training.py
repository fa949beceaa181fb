"""Training of an estimator on tiles."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from infoscope.cosmology.config import Prior
from infoscope.cosmology.parameters import omega_m_s8
from infoscope.errors import InfoscopeError
from infoscope.estimators.batches import Inputs, batches
from infoscope.estimators.checkpoints import Checkpoints
from infoscope.estimators.config import TrainingConfig
from infoscope.estimators.estimator import Estimator
from infoscope.estimators.layers import negative_log_likelihood
from infoscope.models import Interval

if TYPE_CHECKING:
    from jaxtyping import Float, Float32
    from numpy.typing import NDArray

# tree of the weights of a network
Params = Any

WARM_UP = 0.05
CLIP_NORM = 1.0
# factor of the learning rate after the loss has diverged, applied once
RETRY_FACTOR = 0.3
# inputs with which the weights are initialised, see `layers.Standardise`
START_BATCH = 512
# Maximum number of inputs, and of their bytes, per batch of predictions. Time and
# memory depend on them, results do not: the system maps new pages of memory for each
# array of more than 32 MB.
PREDICTION_BATCH, PREDICTION_BYTES = 512, 2**23


@dataclass(frozen=True)
class Bounds:
    """Ranges of (Ω_m, S_8) that are scaled to [−1, 1].

    Attributes
    ----------
    low, high
        Lower and upper edges.
    """

    low: Float[NDArray, " 2"]
    high: Float[NDArray, " 2"]

    @classmethod
    def of_prior(cls, prior: Prior) -> Bounds:
        """Return the bounding box of the prior in (Ω_m, S_8)."""

        def corner(side: int) -> Float[NDArray, " 2"]:
            interval: tuple[Interval, Interval] = (prior.omega_m, prior.sigma_8)
            theta = np.array([[interval[0][side], interval[1][side]]])
            return omega_m_s8(theta).ravel()

        return cls(corner(0), corner(1))

    def scale(self, parameters: Float[NDArray, "*n 2"]) -> Float32[NDArray, "*n 2"]:
        """Scale (Ω_m, S_8) from these ranges to [−1, 1]."""
        scaled = 2 * (parameters - self.low) / (self.high - self.low) - 1
        return np.asarray(scaled, dtype=np.float32)

    def unscale(self, scaled: Float[NDArray, "*n 2"]) -> Float[NDArray, "*n 2"]:
        """Invert `scale`."""
        unit = (np.asarray(scaled, dtype=np.float64) + 1) / 2
        return self.low + unit * (self.high - self.low)


@dataclass(frozen=True)
class Standardisation:
    """Shift and scale of each channel or feature of the input.

    Attributes
    ----------
    mean, std
        Statistics of the training inputs.
    """

    mean: Float32[NDArray, " n_features"]
    std: Float32[NDArray, " n_features"]

    @classmethod
    def of_inputs(cls, inputs: Float32[NDArray, "... n_features"]) -> Standardisation:
        """Compute the statistics over all axes except the last."""
        rows = inputs.reshape(-1, inputs.shape[-1])
        mean = rows.mean(axis=0, dtype=np.float64)
        # `std` would need a copy of all inputs in double precision
        square = np.einsum("nf,nf->f", rows, rows, dtype=np.float64) / len(rows)
        std = np.sqrt(np.maximum(square - mean**2, 0))
        # a channel that a degradation made constant has no information and becomes 0
        constant = std <= 1e-6 * np.abs(mean)
        std = np.where(constant, 1.0, std)
        return cls(mean.astype(np.float32), std.astype(np.float32))

    def __call__(self, inputs: Any) -> Any:
        """Standardise a NumPy or JAX array of inputs (…, n_features)."""
        return (inputs - self.mean) / self.std


@dataclass(frozen=True)
class Evaluation:
    """An evaluation of the validation skies during training: a row of history.csv.

    Attributes
    ----------
    step
        Number of gradient steps so far.
    learning_rate
        Learning rate of the last step.
    train_nll
        Mean loss of the batches since the previous evaluation.
    validation_nll, validation_error
        Mean loss of the validation skies and its standard error, see `mean_error`.
    restarts
        How often the loss has diverged, after which training restarts from the previous
        evaluation.
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
        Shift and scale of the inputs.
    history
        Evaluations, in order.
    stopped
        Whether training stopped early (`patience`) or after all steps (`steps`).
    """

    params: Params
    standardisation: Standardisation
    history: list[Evaluation]
    stopped: Literal["patience", "steps"]

    @property
    def best(self) -> Evaluation:
        """Evaluation with the lowest validation loss."""
        return best_of(self.history)

    @property
    def best_step(self) -> int:
        """Step at which the weights were saved."""
        return self.best.step


def best_of(history: list[Evaluation]) -> Evaluation:
    """Return the evaluation with the lowest validation loss, the first in a tie."""
    return min(history, key=lambda evaluation: evaluation.validation_nll)


def mean_error(
    loss: Float[NDArray, " n_sky"], target: Float[NDArray, "n_sky 2"]
) -> float:
    """Compute the standard error of the mean loss of skies that fill the prior evenly.

    The loss depends on the parameters, because posteriors are wider in some parts of
    the prior than in others. This part of the scatter between skies is smooth and does
    not contribute to the error of a mean over the prior.

    Parameters
    ----------
    loss
        Mean loss of each sky.
    target
        Scaled parameters of each sky.

    Returns
    -------
        Scatter about a quadratic function of the parameters, divided by √n_sky; scatter
        about the mean if there are too few skies for a fit.
    """
    x, y = target.T.astype(float)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    if len(loss) <= 2 * terms.shape[1]:
        terms = terms[:, :1]
    residual = loss - terms @ np.linalg.lstsq(terms, loss, rcond=None)[0]
    degrees_of_freedom = max(1, len(loss) - terms.shape[1])
    return float(np.sqrt((residual**2).sum() / degrees_of_freedom / len(loss)))


@dataclass(frozen=True)
class State:
    """State of a training run at an evaluation, from which it can resume.

    Attributes
    ----------
    params, optimizer, best_params
        Weights, state of the optimiser, and weights at the best evaluation.
    history
        Evaluations so far.
    restarts
        How often the loss has diverged.
    """

    params: Params
    optimizer: Any
    best_params: Params
    history: list[Evaluation] = field(default_factory=list)
    restarts: int = 0

    @property
    def step(self) -> int:
        """Number of gradient steps so far."""
        return self.history[-1].step if self.history else 0

    @property
    def arrays(self) -> dict[str, Any]:
        """Tree of all arrays of the state."""
        return {
            "params": self.params,
            "optimizer": self.optimizer,
            "best_params": self.best_params,
        }


class Diverged(Exception):
    """The loss is not finite."""


def inputs_of(config: Estimator, tiles: Inputs) -> Inputs:
    """Compute the inputs of a network from tiles, before standardisation.

    Parameters
    ----------
    config
        Estimator.
    tiles
        Tiles of convergence (n_sky, n_tile, side, side, n_bins).

    Returns
    -------
        The tiles themselves, or features (n_sky, n_tile, n_features).
    """
    if config.sees_tiles:
        return tiles
    parts = [config.inputs(part) for part in prediction_batches(tiles)]
    inputs = np.concatenate(parts)
    return Inputs.of_array(
        inputs.reshape(-1, tiles.n_tile, *inputs.shape[1:]), tiles.target
    )


def prediction_batches(inputs: Inputs) -> Iterator[Float32[NDArray, "n ..."]]:
    """Yield all inputs in order, in batches of whole skies."""
    size = PREDICTION_BYTES // (4 * math.prod(inputs.shape))
    return inputs.parts(min(PREDICTION_BATCH, size))


def apply_symmetry(
    tiles: Float32[NDArray, "n side side n_bins"], symmetry: int
) -> Float32[NDArray, "n side side n_bins"]:
    """Rotate or mirror tiles by one of the eight symmetries of the square, 0 … 7."""
    if symmetry & 1:
        tiles = tiles.transpose(0, 2, 1, 3)
    rows, columns = (-1 if symmetry & bit else 1 for bit in (2, 4))
    return tiles[:, ::rows, ::columns]


def predict(
    config: Estimator, result: Result, tiles: Inputs
) -> Float32[NDArray, "n_sky n_tile 2"]:
    """Compute the summaries of tiles.

    If the inputs of the network are tiles, its outputs are averaged over all eight
    orientations of each tile. Cosmology does not depend on the orientation, so that any
    dependence of the outputs on it is noise.

    Parameters
    ----------
    config
        Estimator.
    result
        Result of `train` for the estimator.
    tiles
        Tiles of convergence (n_sky, n_tile, side, side, n_bins).

    Returns
    -------
        Mean that the network predicts for (Ω_m, S_8), scaled to [−1, 1].
    """
    network, standardise = config.network(), result.standardisation

    @jax.jit
    def forward(
        params: Params, x: Float32[NDArray, "n ..."]
    ) -> Float32[jax.Array, "n 2"]:
        outputs: Any = network.apply(params, standardise(x))
        return outputs[0]

    inputs = inputs_of(config, tiles)
    # np.asarray waits for each result; JAX would first copy the tiles in all
    # orientations
    means = [
        np.mean(
            [np.asarray(forward(result.params, x)) for x in _orientations(part)],
            axis=0,
            dtype=np.float32,
        )
        for part in prediction_batches(inputs)
    ]
    return np.concatenate(means).reshape(len(tiles.skies), tiles.n_tile, -1)


def _orientations(
    inputs: Float32[NDArray, "n ..."],
) -> list[Float32[NDArray, "n ..."]]:
    """Return tiles in all eight orientations; features have only one."""
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
    """Train a network by minimising the Gaussian negative log-likelihood.

    Batches and symmetries of a step depend only on the seed and the number of the step.
    A training run that resumes from a checkpoint therefore has the same result as one
    without interruption.

    Parameters
    ----------
    config
        Network and its optimisation.
    training_config
        Evaluations and early stopping.
    train_tiles, validation_tiles
        Tiles of convergence (n_sky, n_tile, side, side, n_bins) and the scaled
        (Ω_m, S_8) of their skies, see `Bounds`.
    seed
        Seed of the initial weights, batches and symmetries.
    log
        Function that is called with a line at each evaluation.
    checkpoints
        Storage for the state at evaluations; None to store nothing.

    Returns
    -------
        The network with the lowest validation loss.

    Raises
    ------
    InfoscopeError
        If the loss diverges, and diverges again with a smaller learning rate.
    """
    train_inputs = inputs_of(config, train_tiles)
    validation_inputs = inputs_of(config, validation_tiles)
    # read once, for the standardisation and the initial weights
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
        optax.adamw(schedule, weight_decay=config.weight_decay),
    )

    def losses_of(
        params: Params, x: Float[jax.Array, "n ..."], target: Float[jax.Array, "n 2"]
    ) -> Float[jax.Array, " n"]:
        outputs: Any = network.apply(params, standardise(x))
        return negative_log_likelihood(outputs, target)

    # weights and moments are overwritten in place
    @partial(jax.jit, donate_argnums=(0, 1))
    def step(
        params: Params,
        state: optax.OptState,
        x: Float[jax.Array, "n ..."],
        target: Float[jax.Array, "n 2"],
        factor: float,
    ) -> tuple[Params, optax.OptState, Float[jax.Array, ""]]:
        def loss(params: Params) -> Float[jax.Array, ""]:
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
        for part in prediction_batches(validation_inputs):
            losses.append(evaluate(params, part, target[start : start + len(part)]))
            start += len(part)
        # skies are independent; tiles of a sky have large scales in common
        of_sky = np.concatenate(losses).reshape(-1, validation_inputs.n_tile).mean(1)
        return float(of_sky.mean()), mean_error(of_sky, validation_inputs.target)

    def train_to_next_evaluation(state: State) -> State:
        interval = training_config.evaluate_every
        stop = min(config.steps, (state.step // interval + 1) * interval)
        factor = RETRY_FACTOR**state.restarts
        # copied, because a step overwrites its arguments
        params, moments = jax.tree.map(jnp.copy, (state.params, state.optimizer))
        values = []
        # A Python loop, because convolutions within lax.scan or lax.while_loop take 40
        # times as long on a CPU as in a compiled step.
        for number in range(state.step, stop):
            x, target = next(source)
            if config.sees_tiles:
                # one symmetry per batch needs no copy, unlike one per tile
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

    state = _initial_state(
        network, optimizer, standardise(pool[order[:START_BATCH]]), seed
    )
    del pool
    if checkpoints is not None:
        state = _resumed(state, checkpoints, log)
    first_step, start_time = state.step, time.monotonic()
    source = batches(train_inputs, config.batch_size, seed, state.step)
    while state.step < config.steps and not _stops_early(state, training_config):
        try:
            state = train_to_next_evaluation(state)
        except Diverged as error:
            if state.restarts:
                raise InfoscopeError(
                    f"{error}, despite a smaller learning rate; lower learning_rate of "
                    "the estimator"
                ) from None
            log(
                f"{error}: restarting from step {state.step} with {RETRY_FACTOR} times "
                "the learning rate"
            )
            state = replace(state, restarts=state.restarts + 1)
            source = batches(train_inputs, config.batch_size, seed, state.step)
            continue
        if checkpoints is not None:
            record = {
                "history": [asdict(evaluation) for evaluation in state.history],
                "restarts": state.restarts,
            }
            checkpoints.save(state.step, state.arrays, record)
        elapsed = time.monotonic() - start_time
        eta = elapsed / (state.step - first_step) * (config.steps - state.step)
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


def _initial_state(
    network: nn.Module,
    optimizer: optax.GradientTransformation,
    first_inputs: Float32[NDArray, "n ..."],
    seed: int,
) -> State:
    key = jax.random.key(int(np.random.default_rng(seed).integers(2**31)))
    params: Params = jax.jit(network.init)(key, first_inputs)
    return State(params, optimizer.init(params), params)


def _resumed(
    state: State, checkpoints: Checkpoints, log: Callable[[str], None]
) -> State:
    """Return the state of the checkpoint if there is one, otherwise `state`."""
    checkpoint = checkpoints.restore(state.arrays)
    if checkpoint is None:
        return state
    arrays, record = checkpoint
    history = [Evaluation(**evaluation) for evaluation in record["history"]]
    log(f"resuming from the checkpoint at step {history[-1].step}")
    return State(**arrays, history=history, restarts=record["restarts"])


def _stops_early(state: State, training_config: TrainingConfig) -> bool:
    """Return whether `patience` evaluations have passed since the best one."""
    if not state.history:
        return False
    since_best = len(state.history) - 1 - state.history.index(best_of(state.history))
    return since_best >= training_config.patience
