"""Comparison of the package's Gaussian density of summaries with more flexible ones.

    pip install -r requirements.txt flowjax
    PYTHONPATH=workflow python benchmarks/densities.py RESULTS [--folds 8]
        [--degradations reference ...]

RESULTS is the folder of a study, for example `results/default`. Only the summaries of
its first seed and the prior of its posteriors are read. `infoscope.inference.densities`
is compared with

- mixtures of 1, 2 or 4 Gaussians, whose parameters a small perceptron computes from
  (Ω_m, S_8);
- a masked autoregressive flow of rational-quadratic splines, by flowjax.

Everything is cross-validated by sky, and therefore by cosmology: tiles of a sky never
fall on both sides of a fold, or of the split for early stopping. The columns are

- `gain`: the log-likelihood per held-out tile relative to the package's density, in
  nat, with a standard error over skies;
- `ratio`: the ratio of the widths σ(S_8), a median over mocks at the fiducial
  cosmology. Its scatter between folds combines the noise of a fit and the effect of
  leaving out an eighth of the skies;
- `seconds`: the time of a fit, without compilation.

Lines of `all` are means over all cases, with the scatter between cases.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import equinox as eqx
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flowjax.bijections import RationalQuadraticSpline
from flowjax.distributions import StandardNormal
from flowjax.flows import masked_autoregressive_flow
from flowjax.train import fit_to_data
from flowjax.train.losses import MaximumLikelihoodLoss
from numpy.typing import NDArray

from infoscope.inference.densities import Density, Scaling, fit_density, log_likelihood
from infoscope.inference.posterior import Grid, widths, widths_of

Array = NDArray[np.float64]
# Log density of rows (…, 2) given scaled (Ω_m, S_8) (…, 2).
LogProb = Callable[[jax.Array, jax.Array], jax.Array]

CELLS = 48
# every fourth tile of the fiducial skies is a mock observation
EVERY = 4
MOCKS_AT_ONCE = 16
VALIDATION = 0.125
EVALUATIONS = 100


@dataclass(frozen=True)
class Skies:
    """Summaries (n_sky, n_tile, 2) and (Ω_m, σ_8) of skies (n_sky, 1, 2)."""

    summary: Array
    theta: Array

    def __getitem__(self, chosen: NDArray) -> Skies:
        """Select skies."""
        return Skies(self.summary[chosen], self.theta[chosen])

    @property
    def flat(self) -> tuple[Array, Array]:
        """Summaries and parameters (n_sky · n_tile, 2)."""
        theta = np.broadcast_to(self.theta, self.summary.shape)
        return self.summary.reshape(-1, 2), theta.reshape(-1, 2)


class MixtureNetwork(nn.Module):
    """Log density of a mixture of Gaussians whose parameters a perceptron gives."""

    components: int
    width: int

    @nn.compact
    def __call__(self, s: jax.Array, u: jax.Array) -> jax.Array:
        """Log density of rows s (…, 2) given u (…, 2)."""
        x = u
        for _ in range(2):
            x = nn.tanh(nn.Dense(self.width)(x))
        raw = nn.Dense(6 * self.components)(jnp.concatenate([x, u], axis=-1))
        raw = raw.reshape(*u.shape[:-1], self.components, 6)
        weight, a, b, c = (raw[..., i] for i in (0, 3, 4, 5))
        r = s[..., None, :] - raw[..., 1:3]
        z1, z2 = jnp.exp(a) * r[..., 0] + b * r[..., 1], jnp.exp(c) * r[..., 1]
        terms = jax.nn.log_softmax(weight) + a + c - (z1**2 + z2**2) / 2
        return jax.nn.logsumexp(terms, axis=-1) - jnp.log(2 * jnp.pi)


@partial(jax.jit, static_argnames=("network", "steps", "batch_size"))
def train_mixture(
    network: MixtureNetwork,
    learning_rate: float,
    steps: int,
    batch_size: int,
    key: jax.Array,
    fitted: tuple[jax.Array, jax.Array],
    held: tuple[jax.Array, jax.Array],
) -> Any:
    """Weights with the best likelihood of the held-out skies."""

    def loss(weights: Any, s: jax.Array, u: jax.Array) -> jax.Array:
        return -network.apply(weights, s, u).mean()

    flat = [jnp.broadcast_to(x, fitted[0].shape).reshape(-1, 2) for x in fitted]
    optimizer = optax.adamw(optax.cosine_decay_schedule(learning_rate, steps))
    start, key = jax.random.split(key)
    weights = network.init(start, *(x[:1] for x in flat))

    def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
        weights, state = carry
        rows = jax.random.randint(key, (batch_size,), 0, len(flat[0]))
        slope = jax.grad(loss)(weights, *(x[rows] for x in flat))
        change, state = optimizer.update(slope, state, weights)
        return (optax.apply_updates(weights, change), state), None

    def evaluation(carry: Any, keys: jax.Array) -> tuple[Any, None]:
        best, smallest, now = carry
        now, _ = jax.lax.scan(step, now, keys)
        found = loss(now[0], *held)
        better = found < smallest
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), now[0], best)
        return (best, jnp.minimum(found, smallest), now), None

    keys = jax.random.split(key, steps).reshape(EVALUATIONS, -1)
    carry = (weights, jnp.inf, (weights, optimizer.init(weights)))
    (best, _, _), _ = jax.lax.scan(evaluation, carry, keys)
    return best


@dataclass(frozen=True)
class Mixture:
    """A mixture density network and how it is trained."""

    components: int
    width: int = 32
    learning_rate: float = 3e-3
    steps: int = 3000
    batch_size: int = 512

    @property
    def name(self) -> str:
        """Name in the table."""
        return f"mixture of {self.components}"

    def fit(self, s: jax.Array, u: jax.Array, key: jax.Array) -> LogProb:
        """Fit to skies (n_sky, n_tile, 2) with conditions (n_sky, 1, 2)."""
        network = MixtureNetwork(self.components, self.width)
        n_held = round(VALIDATION * len(s))
        key, shuffling = jax.random.split(key)
        order = jax.random.permutation(shuffling, len(s))
        held, fitted = ((s[i], u[i]) for i in (order[:n_held], order[n_held:]))
        how = self.learning_rate, self.steps, self.batch_size
        weights = train_mixture(network, *how, key, fitted, held)
        return jax.tree_util.Partial(network.apply, weights)


@dataclass(frozen=True)
class Flow:
    """A flow of flowjax and how it is trained."""

    layers: int = 2
    width: int = 16
    knots: int = 4
    learning_rate: float = 1e-2
    epochs: int = 150
    patience: int = 15
    batch_skies: int = 14

    @property
    def name(self) -> str:
        """Name in the table."""
        return "flow"

    @cached_property
    def start(self) -> Any:
        """The untrained flow; equal functions in it spare a compilation."""
        return masked_autoregressive_flow(
            jax.random.key(0),
            base_dist=StandardNormal((2,)),
            transformer=RationalQuadraticSpline(knots=self.knots, interval=5),
            cond_dim=2,
            flow_layers=self.layers,
            nn_width=self.width,
        )

    @cached_property
    def tools(self) -> dict[str, Any]:
        """Optimizer and loss, for the same reason."""
        return {
            "optimizer": optax.adam(self.learning_rate),
            "loss_fn": MaximumLikelihoodLoss(),
        }

    def fit(self, s: jax.Array, u: jax.Array, key: jax.Array) -> LogProb:
        """Fit to skies: they are the rows that flowjax shuffles and splits."""
        flow, _ = fit_to_data(
            key,
            self.start,
            (s, u),
            **self.tools,
            max_epochs=self.epochs,
            max_patience=self.patience,
            batch_size=self.batch_skies,
            val_prop=VALIDATION,
            show_progress=False,
        )
        return flow.log_prob


CANDIDATES: list[Mixture | Flow] = [Mixture(1), Mixture(2), Mixture(4), Flow()]


@dataclass(frozen=True)
class Score:
    """Log-likelihood (n_held,) per tile of each sky, width of S_8 and time of a fit."""

    likelihood: Array
    width: float
    seconds: float


@eqx.filter_jit
def evaluate(log_prob: LogProb, s: jax.Array, u: jax.Array) -> jax.Array:
    """Log density of rows."""
    return log_prob(s, u)


def score_gaussian(
    fitted: Skies, held: Skies, mocks: Array, grid: Grid
) -> tuple[Density, Score]:
    """Fit the package's density and score it."""
    began = time.perf_counter()
    n_sky = len(fitted.summary)
    density = fit_density(fitted.summary, fitted.theta[:, 0], np.ones(n_sky))
    seconds = time.perf_counter() - began
    likelihood = log_likelihood(density, *held.flat).reshape(len(held.summary), -1)
    width = np.median(widths_of(density, mocks, grid)[:, 0])
    return density, Score(likelihood.mean(axis=1), float(width), seconds)


def score(
    candidate: Mixture | Flow,
    scaling: Scaling,
    fitted: Skies,
    held: Skies,
    mocks: Array,
    grid: Grid,
    key: jax.Array,
) -> Score:
    """Fit another density, in the same units, and score it."""

    def scaled(summary: Array, theta: Array) -> list[jax.Array]:
        pair = scaling.summary(summary), scaling.theta(theta)
        return [jnp.asarray(x, jnp.float32) for x in pair]

    data = scaled(fitted.summary, fitted.theta)
    began = time.perf_counter()
    log_prob = jax.block_until_ready(candidate.fit(*data, key))
    seconds = time.perf_counter() - began

    log = evaluate(log_prob, *scaled(held.summary, held.theta))
    likelihood = np.asarray(log, float).mean(axis=1) - np.log(scaling.summary_std).sum()
    found = []
    for first in range(0, len(mocks), MOCKS_AT_ONCE):
        some = mocks[first : first + MOCKS_AT_ONCE, None]
        log = jax.nn.log_softmax(evaluate(log_prob, *scaled(some, grid.theta)))
        found.append(widths(np.exp(np.asarray(log, float)), grid)[:, 0])
    return Score(likelihood, float(np.median(np.concatenate(found))), seconds)


def folds_of(n_sky: int, n_folds: int) -> Iterator[tuple[NDArray, NDArray]]:
    """Skies to fit and skies to hold out; neighbours of the grid are spread."""
    order = np.random.default_rng(0).permutation(n_sky)
    for part in range(n_folds):
        yield np.delete(order, np.s_[part::n_folds]), order[part::n_folds]


def read(folder: Path, case: str) -> tuple[Skies, Array, Grid]:
    """Test skies, mocks (n_mock, 2) and the grid of their posteriors."""
    with h5py.File(folder / "training" / case / "seed_0" / "summaries.h5") as file:
        summary = file["test/summary"][:].astype(float)
        test = Skies(summary, file["test/theta"][:][:, None])
        mocks = file["fiducial/summary"][:, ::EVERY].astype(float).reshape(-1, 2)
    with h5py.File(folder / "posteriors" / f"{case}.h5") as file:
        spec = json.loads(file.attrs["spec"])
    return test, mocks, Grid.of_prior(spec["prior"], CELLS)


def compare(folder: Path, case: str, n_folds: int) -> dict[str, list[Score]]:
    """Score all densities in all folds."""
    test, mocks, grid = read(folder, case)
    scores: dict[str, list[Score]] = {"package": []}
    for number, (fitted, held) in enumerate(folds_of(len(test.theta), n_folds)):
        density, gaussian = score_gaussian(test[fitted], test[held], mocks, grid)
        scores["package"].append(gaussian)
        for candidate in CANDIDATES:
            found = score(
                candidate,
                density.scaling,
                test[fitted],
                test[held],
                mocks,
                grid,
                jax.random.key(number),
            )
            scores.setdefault(candidate.name, []).append(found)
    return scores


def line(case: str, name: str, gain: Array, ratio: Array, columns: str = "") -> None:
    """Print a line: gain (n_sky,) and ratio (n_folds,) or (n_cases,)."""
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    print(
        f"{case:32s} {name:22s} {gain.mean():+8.4f} ± {error:.4f} "
        f"{ratio.mean():7.3f} ± {ratio.std():.3f}{columns}",
        flush=True,
    )


def main() -> None:
    """Print a line for each case and density, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, metavar="RESULTS")
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--degradations", nargs="+", default=["*"])
    options = parser.parse_args()
    training = options.results / "training"
    cases = [
        str(path.relative_to(training))
        for name in options.degradations
        for path in sorted(training.glob(f"{name}/*"))
    ]
    print(
        f"{'case':32s} {'density':22s} {'gain/nat':>17s} {'ratio':>15s}   width seconds"
    )
    gains: dict[str, list[Array]] = {}
    ratios: dict[str, list[Array]] = {}
    for case in cases:
        scores = compare(options.results, case, options.folds)
        package = scores["package"]
        for name, found in scores.items():
            pairs = list(zip(found, package, strict=True))
            gain = np.concatenate([a.likelihood - b.likelihood for a, b in pairs])
            ratio = np.array([a.width / b.width for a, b in pairs])
            width = np.mean([each.width for each in found])
            seconds = np.median([each.seconds for each in found])
            line(case, name, gain, ratio, f"  {width:.4f} {seconds:7.2f}")
            gains.setdefault(name, []).append(gain)
            ratios.setdefault(name, []).append(ratio)
    for name in gains:
        ratio = np.mean(ratios[name], axis=1)
        line("all", name, np.mean(gains[name], axis=0), ratio)


if __name__ == "__main__":
    main()
