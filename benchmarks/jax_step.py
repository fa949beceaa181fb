"""The JAX half of the comparison in pytorch_step.py.

    PYTHONPATH=workflow python benchmarks/jax_step.py ESTIMATOR SIDE SECONDS OUTPUT

ESTIMATOR is an estimator of a config, as JSON. The script times its training step, and
writes to OUTPUT (an .npz file) the weights, inputs and expected results, with which
PyTorch is compared.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict
from pydantic import TypeAdapter
from training_step import LEARNING_RATE, N_BINS, WEIGHT_DECAY, peak, step_of

from infoscope.estimators.kinds.cnn import CNN
from infoscope.estimators.kinds.deeplss import DeepLSS
from infoscope.estimators.training import CLIP_NORM

FIRST_STEPS = 3
ROUNDS = 3


def main(estimator: str, side: int, seconds: float, output: Path) -> None:
    """Write OUTPUT and print the speed as JSON."""
    kinds: Any = CNN | DeepLSS
    config: CNN | DeepLSS = TypeAdapter(kinds).validate_json(estimator)
    network = config.network()
    rng = np.random.default_rng(1)
    shape = (config.batch_size, side, side, N_BINS)
    x = jax.device_put(rng.standard_normal(shape, np.float32))
    target = jax.device_put(rng.uniform(-1, 1, (len(x), 2)).astype(np.float32))
    params: Any = jax.jit(network.init)(jax.random.key(0), x)
    outputs: Any = jax.jit(network.apply)(params, x)
    optimizer, step = step_of(network)
    carry = (params, optimizer.init(params))
    compiled = jax.jit(step, donate_argnums=0)
    expected = {
        "mean": outputs[0],
        "cholesky": outputs[1],
        **flatten_dict(jax.device_get(params["params"]), sep="/"),
    }
    losses = []
    for _ in range(FIRST_STEPS):
        carry, loss = compiled(carry, (x, target))
        losses.append(loss)
    settings = {
        **config.model_dump(),
        "learning_rate": LEARNING_RATE,
        "clip_norm": CLIP_NORM,
        "weight_decay": WEIGHT_DECAY,
    }
    np.savez(
        output,
        settings=json.dumps(settings),
        x=x,
        target=target,
        losses=np.array(losses),
        **expected,
    )

    best, cores = np.inf, 0.0
    for _ in range(ROUNDS):
        count, began, used = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            for _ in range(5):
                carry, loss = compiled(carry, (x, target))
            jax.block_until_ready(loss)
            count += 5
        elapsed = time.perf_counter() - began
        if elapsed / count < best:
            best = elapsed / count
            cores = (time.process_time() - used) / elapsed
    result = {
        "name": f"JAX {jax.__version__}",
        "seconds": best,
        "cores": cores,
        "peak": peak(),
        "batch": config.batch_size,
        "flop": config.flop_of_step(side, N_BINS),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
