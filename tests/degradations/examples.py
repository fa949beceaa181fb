"""Parameters of every operation, that suit the patches of the tests."""

from __future__ import annotations

from typing import Any

RANGES = [[None, -1], [0.5, None]]
EXAMPLES: list[dict[str, Any]] = [
    {"operation": "lowpass", "ell": 60},
    {"operation": "lowpass", "ell": 60, "profile": "tophat"},
    {"operation": "highpass", "ell": 60},
    {"operation": "bandpass", "ell": [40, 120], "profile": "tophat"},
    {"operation": "bandstop", "ell": [40, 120]},
    {"operation": "keep_convergence", "ranges": RANGES},
    {"operation": "keep_convergence", "ranges": RANGES, "of": "tile"},
    {"operation": "keep_convergence", "ranges": RANGES, "fill": "resample"},
    {"operation": "keep_convergence", "ranges": [[0.01, None]], "by": "kappa"},
    {"operation": "keep_convergence", "ranges": [[0, 0.3]], "by": "quantile"},
    {
        "operation": "keep_convergence", "ranges": [[0.8, 1]], "by": "quantile",
        "of": "tile", "fill": "resample",
    },
    {"operation": "random_mask", "fraction": 0.5},
    {"operation": "random_mask", "area_of": {"ranges": RANGES}},
    {
        "operation": "random_mask", "area_of": {"ranges": RANGES, "of": "tile"},
        "across_bins": "shared", "fill": "resample",
    },
    {"operation": "select_peaks"},
    {"operation": "select_peaks", "above": 0.5, "rings": 2, "fill": "resample"},
    {"operation": "select_voids", "below": -0.5},
    {"operation": "gaussianize_pixels"},
    {"operation": "shuffle_pixels"},
    {"operation": "shuffle_pixels", "across_bins": "independent"},
    {"operation": "randomize_phases"},
    {"operation": "flatten_spectrum"},
    {"operation": "flatten_spectrum", "template": [[10, 1e-8], [100, 1e-9]]},
    {"operation": "sum_bins"},
    {"operation": "select_bins", "bins": [2]},
    {"operation": "scale_noise", "factor": 0.5},
]  # fmt: skip


def named(operations: list[dict[str, Any]]) -> str:
    """Return a name of a list of operations for a test."""
    values = [str(value) for each in operations for value in each.values()]
    return "-".join(values).replace(" ", "")
