"""Presets: keys of `survey` that resemble existing or planned surveys.

Values are per tomographic bin; σ_e is per component of the ellipticity. The differences
between each preset and the survey it is named after are listed in docs/surveys.md.
"""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # n_eff and σ_e: Amon et al. 2022, arXiv 2105.13543, table I
    # n(z): mean redshifts of DeepLSS, arXiv 2203.09616
    "des_y3_like": {
        "nz": {"kind": "table", "files": ["resources/nz/des_like.txt"]},
        "n_gal_arcmin2": [1.476, 1.479, 1.484, 1.461],
        "sigma_e": [0.243, 0.262, 0.259, 0.301],
    },
    # n_eff and σ_e: Giblin et al. 2021, arXiv 2007.01845
    # bin edges, and mean redshifts that the other numbers are fitted to: Hildebrandt et
    # al. 2021, arXiv 2007.15635
    "kids_1000_like": {
        "nz": {
            "kind": "smail",
            "z0": 0.33,
            "alpha": 2.5,
            "beta": 1.27,
            "sigma_z": 0.053,
            "bias": 0.013,
            "edges": [0.1, 0.3, 0.5, 0.7, 0.9, 1.2],
        },
        "n_gal_arcmin2": [0.62, 1.18, 1.85, 1.26, 1.31],
        "sigma_e": [0.270, 0.258, 0.273, 0.254, 0.270],
    },
    # LSST DESC Science Requirements Document, arXiv 1809.01669, appendix D
    "lsst_y1_like": {
        "nz": {
            "kind": "smail",
            "z0": 0.13,
            "alpha": 2,
            "beta": 0.78,
            "sigma_z": 0.05,
            "n_bins": 5,
        },
        "n_gal_arcmin2": 2,
        "sigma_e": 0.26,
    },
}
