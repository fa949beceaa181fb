"""Throughput of a training step of the same networks in JAX and in PyTorch.

    PYTHONPATH=workflow python benchmarks/pytorch_step.py [--seconds 5]
        [--threads 1 2] [--jax-python PYTHON]

Run this in an interpreter that has PyTorch. JAX and the dependencies of the package may
be installed in another interpreter, PYTHON. A step consists of a forward and a backward
pass, gradient clipping and an AdamW update, on one float32 batch that stays in memory.
The time is the best of three rounds of some seconds. First, the script checks that both
agree on the outputs of the network for the same weights, and on the losses of the first
steps. The table lists the number of busy cores and, for the same threads, the speed of
a large matrix product.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

# Estimators and sides of tiles.
CASES: list[tuple[dict[str, Any], int]] = [
    ({"kind": "cnn"}, 32),
    ({"kind": "cnn"}, 64),
    ({"kind": "deeplss", "channels": 64, "blocks": 2, "batch_size": 32}, 64),
]
PRODUCT = 4096
ROUNDS = 3
COARSEST = 8
SMALLEST_DIAGONAL = 1e-3
LARGEST_DIFFERENCE = 1e-4
LARGEST_LOSS_DIFFERENCE = 1e-3
NOT_WEIGHTS = ("settings", "x", "target", "losses", "mean", "cholesky")


class Standardise(nn.Module):
    """`infoscope.estimators.layers.Standardise`."""

    def __init__(self, shift: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.shift = nn.Parameter(shift)
        self.scale = nn.Parameter(scale)

    def forward(self, x: Tensor) -> Tensor:
        """Standardise features (n, n_features)."""
        return (x + self.shift) * self.scale


def layer_of(weights: dict[str, Tensor]) -> nn.Module:
    """Build a layer with the weights of one of Flax."""
    if "shift" in weights:
        return Standardise(**weights)
    kernel = weights["kernel"]
    layer: Any
    if kernel.ndim == 2:
        layer = nn.Linear(*kernel.shape)
        kernel = kernel.T
    else:
        size, _, n_in, n_out = kernel.shape
        strided = size == 5
        layer = nn.Conv2d(
            n_in, n_out, size, stride=2 if strided else 1, padding=0 if strided else 1
        )
        kernel = kernel.permute(3, 2, 0, 1)
    with torch.no_grad():
        layer.weight.copy_(kernel)
        layer.bias.copy_(weights["bias"])
    return layer


def layers_of(weights: dict[str, Tensor]) -> nn.ModuleDict:
    """Build all layers, under their names in Flax."""
    by_layer: dict[str, dict[str, Tensor]] = {}
    for path, values in weights.items():
        layer, name = path.rsplit("/", 1)
        by_layer.setdefault(layer, {})[name] = values
    return nn.ModuleDict({name: layer_of(found) for name, found in by_layer.items()})


def gaussian(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Turn the outputs of the dense layer of `Head` into a mean and a factor."""
    diagonal = functional.softplus(raw[:, 2:4]) + SMALLEST_DIAGONAL
    zero = torch.zeros_like(raw[:, 4])
    rows = [diagonal[:, 0], zero, raw[:, 4], diagonal[:, 1]]
    return raw[:, :2], torch.stack(rows, dim=-1).reshape(-1, 2, 2)


def negative_log_likelihood(outputs: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
    """`infoscope.estimators.layers.negative_log_likelihood`."""
    mean, cholesky = outputs
    white = (cholesky * (target - mean)[:, :, None]).sum(dim=1)
    log_det = cholesky.diagonal(dim1=1, dim2=2).log().sum(dim=-1)
    return 0.5 * (white**2).sum(dim=-1) - log_det


def gelu(x: Tensor) -> Tensor:
    """Flax's approximation."""
    return functional.gelu(x, approximate="tanh")


def space_to_depth(x: Tensor, block: int) -> Tensor:
    """`infoscope.estimators.layers.space_to_depth`."""
    n, height, width, channels = x.shape
    x = x.reshape(n, height // block, block, width // block, block, channels)
    x = x.permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, height // block, width // block, block * block * channels)


class CNN(nn.Module):
    """`infoscope.estimators.kinds.cnn`."""

    def __init__(self, stem: int, blocks: int, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = blocks
        self.layers = layers_of(weights)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map tiles (n, side, side, n_bins) to a Gaussian."""
        layers = self.layers
        x = space_to_depth(x, self.stem)
        fine = gelu(layers["Dense_0"](x))
        means = [fine.mean(dim=(1, 2))]
        x = layers["Dense_1"](torch.cat([x, fine], dim=-1))
        # a view, whose channels are still next to each other
        x = x.permute(0, 3, 1, 2)
        for block in range(self.blocks):
            y = gelu(layers[f"Conv_{2 * block}"](x))
            z = gelu(layers[f"Conv_{2 * block + 1}"](y))
            means += [y.mean(dim=(2, 3)), z.mean(dim=(2, 3))]
            x = x + z
            if x.shape[2] > COARSEST:
                x = functional.avg_pool2d(x, 2)
        features = layers["Standardise_0"](torch.cat(means, dim=-1))
        return gaussian(layers["Head_0/Dense_0"](gelu(layers["Dense_2"](features))))


class DeepLSS(nn.Module):
    """`infoscope.estimators.kinds.deeplss`."""

    def __init__(self, blocks: int, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.blocks = blocks
        self.layers = layers_of(weights)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map tiles (n, side, side, n_bins) to a Gaussian."""
        layers = self.layers
        x = x.permute(0, 3, 1, 2)
        for number in range(2):
            # as Flax pads an even side: a pixel before and two after it
            padded = functional.pad(x, (1, 2, 1, 2))
            x = functional.relu(layers[f"Conv_{number}"](padded))
        for block in range(self.blocks):
            y = functional.relu(layers[f"Conv_{2 * block + 2}"](x))
            x = functional.relu(x + layers[f"Conv_{2 * block + 3}"](y))
        return gaussian(layers["Head_0/Dense_0"](x.mean(dim=(2, 3))))


def difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference."""
    return float((found - expected).abs().max())


def peak() -> float:
    """Operations per second of a product of two matrices."""
    matrix = torch.randn(PRODUCT, PRODUCT)
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - began)
    return 2 * PRODUCT**3 / min(seconds)


def measure(way: str, threads: int, seconds: float, path: Path) -> dict[str, Any]:
    """Compare with what JAX left in a file, then time the step."""
    torch.set_num_threads(threads)
    with np.load(path) as file:
        settings = json.loads(str(file["settings"]))
        data = {k: torch.from_numpy(file[k]) for k in file.files if k != "settings"}
    weights = {k: values for k, values in data.items() if k not in NOT_WEIGHTS}
    network: Any
    if settings["kind"] == "cnn":
        network = CNN(settings["stem"], settings["blocks"], weights)
    else:
        network = DeepLSS(settings["blocks"], weights)
    network = network.to(memory_format=torch.channels_last)
    forward: Any = torch.compile(network) if way == "compiled" else network
    x, target = data["x"], data["target"]
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        fused=True,
    )

    def step() -> Any:
        optimizer.zero_grad()
        loss: Any = negative_log_likelihood(forward(x), target).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings["clip_norm"])
        optimizer.step()
        return loss.detach()

    with torch.no_grad():
        mean, cholesky = forward(x)
    apart = max(difference(mean, data["mean"]), difference(cholesky, data["cholesky"]))
    if not apart < LARGEST_DIFFERENCE:
        raise RuntimeError(f"the outputs differ from those of JAX by {apart:.1e}")
    losses = torch.stack([step() for _ in data["losses"]])
    apart = difference(losses, data["losses"])
    if not apart < LARGEST_LOSS_DIFFERENCE:
        raise RuntimeError(f"the first losses differ from those of JAX by {apart:.1e}")

    best, cores = float("inf"), 0.0
    for _ in range(ROUNDS):
        count, began, used = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            for _ in range(5):
                step()
            count += 5
        elapsed = time.perf_counter() - began
        if elapsed / count < best:
            best = elapsed / count
            cores = (time.process_time() - used) / elapsed
    return {
        "name": f"PyTorch {torch.__version__} {way}",
        "seconds": best,
        "cores": cores,
        "peak": peak(),
    }


def run(command: list[str], threads: int) -> dict[str, Any]:
    """Run a process on some threads and parse the last line that it prints."""
    environment = {**os.environ, "NPROC": str(threads), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(
    estimator: dict[str, Any], side: int, threads: int, options: argparse.Namespace
) -> None:
    """Print a line for each framework."""
    half = str(Path(__file__).with_name("jax_step.py"))
    seconds = str(options.seconds)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "network.npz")
        described = [json.dumps(estimator), str(side), seconds, path]
        found = run([options.jax_python, half, *described], threads)
        batch, flop = found["batch"], found["flop"]
        results = [found]
        for way in ("eager", "compiled"):
            worker = [sys.executable, __file__, "--seconds", seconds]
            worker += ["--worker", way, path, "--threads", str(threads)]
            try:
                results.append(run(worker, threads))
            except subprocess.CalledProcessError:
                if way == "eager":
                    raise
                print("PyTorch compiled: fails, see above", flush=True)
    for result in results:
        speed = flop / result["seconds"]
        print(
            f"{estimator['kind']:8s} {side:4d}  {result['name']:32s} {threads:7d} "
            f"{batch / result['seconds']:8.0f} {speed / 1e9:8.1f} "
            f"{result['cores']:6.2f} {result['peak'] / 1e9:8.1f} "
            f"{speed / result['peak']:6.1%}",
            flush=True,
        )


def main() -> None:
    """Compare all cases, or measure one as the process that does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of a round")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--jax-python", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        way, path = options.worker
        measured = measure(way, options.threads[0], options.seconds, Path(path))
        print(json.dumps(measured))
        return
    print(
        f"{'network':8s} side  {'framework':32s} threads  tiles/s  GFLOP/s  cores "
        " product  share"
    )
    for threads in options.threads:
        for estimator, side in CASES:
            compare(estimator, side, threads, options)


if __name__ == "__main__":
    main()
