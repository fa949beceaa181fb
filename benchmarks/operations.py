"""Time of each operation on the patches of a sky of four bins.

    export MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=1000000000
    OMP_NUM_THREADS=1 PYTHONPATH=workflow python benchmarks/operations.py [nside ...]

Patches have 29.3° and nside / 2 pixels along a side, 48 per sky. Times are those of one
thread, best of three, and are compared with the rates in the classes, from which costs
are computed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from infoscope.degradations import Operation, Patches, Survey
from infoscope.study.config import parse_study

N_BINS, N_PATCH, SIDE_DEG = 4, 48, 29.3


def examples(nside: int) -> list[Operation]:
    """Return one of each operation, and variants with other costs."""
    ell = nside / 2
    upper = {"ranges": [[1, None]]}
    configs = [
        {"operation": "lowpass", "ell": ell},
        {"operation": "lowpass", "ell": ell, "profile": "tophat"},
        {"operation": "highpass", "ell": ell},
        {"operation": "bandpass", "ell": [ell / 2, ell]},
        {"operation": "bandstop", "ell": [ell / 2, ell]},
        {"operation": "randomize_phases"},
        {"operation": "flatten_spectrum"},
        {"operation": "keep_convergence", **upper},
        {"operation": "keep_convergence", **upper, "of": "tile"},
        {"operation": "keep_convergence", **upper, "fill": "resample"},
        {"operation": "random_mask", "area_of": upper},
        {"operation": "select_peaks", "above": 1},
        {"operation": "select_voids", "below": -1},
        {"operation": "gaussianize_pixels"},
        {"operation": "shuffle_pixels"},
        {"operation": "sum_bins"},
        {"operation": "select_bins", "bins": [2]},
        {"operation": "scale_noise", "factor": 0.5},
    ]
    study = {
        "study": "benchmark",
        "degradations": {"reference": {"operations": configs}},
    }
    return parse_study(study).degradations["reference"].operations


def best_of_three(run: Callable[[], object]) -> float:
    """Seconds of the fastest run, after one that fills caches."""
    run()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main(nside: int) -> None:
    """Print a line for each operation."""
    pixels = nside // 2
    survey = Survey(
        side_deg=SIDE_DEG,
        pixels=pixels,
        omega_m=0.3,
        h=0.7,
        mean_z=np.array([0.31, 0.48, 0.75, 0.94]),
        n_gal_arcmin2=np.full(N_BINS, 2.5),
        sigma_e=np.full(N_BINS, 0.4),
    )
    kappa = np.random.default_rng(1).standard_normal((N_BINS, N_PATCH, pixels, pixels))
    patches = Patches(kappa, survey).without_mean()
    print(f"nside {nside}: {N_PATCH} patches of {pixels}² pixels in {N_BINS} bins")
    for operation in examples(nside):
        constants = operation.fit(patches) if operation.needs_fit else {}

        def run(
            operation: Operation = operation, constants: dict = constants
        ) -> Patches:
            return operation.apply(patches, constants, np.random.default_rng(2))

        elapsed = best_of_three(run)
        keys = operation.model_dump(exclude_defaults=True, exclude={"operation"})
        print(
            f"  {operation.name_in_config:20s} {1e3 * elapsed:8.1f} ms, "
            f"{1e9 * elapsed / kappa.size:6.1f} ns per pixel and bin "
            f"(class: {operation.nanoseconds_per_pixel:g})  {keys or ''}",
            flush=True,
        )


if __name__ == "__main__":
    for nside in [int(value) for value in sys.argv[1:]] or [128, 256, 512]:
        main(nside)
