"""Time of each operation on a sky of four bins, compared with its transforms alone.

    PYTHONPATH=workflow python benchmarks/operations.py [nside ...]

Both are measured on one thread, from a map on the sphere to a map on the sphere, best
of three.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from unittest.mock import patch

import numpy as np

from infoscope.degradations import Operation, Sky, Survey
from infoscope.degradations.operations.values import ConvergenceRanges
from infoscope.maps.harmonics import analysis, synthesis
from infoscope.study import config

N_BINS = 4
UPPER = ConvergenceRanges(ranges=[(1, None)])


def examples(nside: int) -> list[Operation]:
    """Return one of each operation."""
    ell = nside / 2
    return [
        config.LowPass(ell=ell),
        config.HighPass(ell=ell),
        config.BandPass(ell=(ell, 2 * ell)),
        config.BandStop(ell=(ell, 2 * ell)),
        config.RandomizePhases(),
        config.FlattenSpectrum(),
        config.KeepConvergence(ranges=[(1, None)]),
        config.RandomMask(area_of=UPPER),
        config.SelectPeaks(above=1),
        config.SelectVoids(below=-1),
        config.GaussianizePixels(),
        config.ShufflePixels(),
        config.SumBins(),
        config.SelectBins(bins=[2]),
        config.ScaleNoise(factor=0.5),
    ]


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
    rng = np.random.default_rng(1)
    survey = Survey(
        nside=nside,
        tile_nside=2,
        omega_m=0.3,
        h=0.7,
        mean_z=np.array([0.31, 0.48, 0.75, 0.94]),
        n_gal_arcmin2=np.full(N_BINS, 2.5),
        sigma_e=np.full(N_BINS, 0.4),
    )
    sky = Sky(rng.standard_normal((N_BINS, 12 * nside**2)), survey)
    alm = analysis(sky.maps)
    seconds = {
        "analysis": best_of_three(lambda: analysis(sky.maps)) / N_BINS,
        "synthesis": best_of_three(lambda: synthesis(alm, nside)) / N_BINS,
    }
    print(
        f"nside {nside}: analysis {1e3 * seconds['analysis']:.1f} ms, "
        f"synthesis {1e3 * seconds['synthesis']:.1f} ms a map"
    )
    count: Counter[str] = Counter()

    def counting_analysis(maps: np.ndarray) -> np.ndarray:
        count["analysis"] += len(maps)
        return analysis(maps)

    def counting_synthesis(alm: np.ndarray, nside: int) -> np.ndarray:
        count["synthesis"] += len(alm)
        return synthesis(alm, nside)

    for parameters in examples(nside):

        def run(parameters=parameters) -> Sky:
            start = sky.to(*parameters.domains)
            done = parameters.apply(start, np.random.default_rng(2))
            return done.to("sphere")

        elapsed = best_of_three(run)
        count.clear()
        with (
            patch("infoscope.maps.harmonics.analysis", counting_analysis),
            patch("infoscope.maps.harmonics.synthesis", counting_synthesis),
        ):
            run()
        alone = sum(count[kind] * seconds[kind] for kind in count)
        ratio = f"{elapsed / alone:5.2f} x" if alone else ""
        print(
            f"  {parameters.name_in_config:20s} {1e3 * elapsed:8.1f} ms, "
            f"{sum(count.values()):3d} transforms {1e3 * alone:8.1f} ms {ratio}",
            flush=True,
        )


if __name__ == "__main__":
    for nside in [int(value) for value in sys.argv[1:]] or [128, 256, 512]:
        main(nside)
