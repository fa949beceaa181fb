"""Chains: samples of a posterior as text in the format of CosmoMC and GetDist.

Samples weigh the same, and their density is not stored: the column of minus log
posterior is 0.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infoscope.cosmology.parameters import omega_m_s8
from infoscope.errors import InfoscopeError

# `{name}_2.txt` would be the second chain of `{name}`, which may be another estimator
SUFFIX = ".1.txt"
LABELS = {"omega_m": r"\Omega_m", "sigma_8": r"\sigma_8", "s_8": "S_8"}
DERIVED = "s_8"
WITHHELD = "withheld"
FIRST_LINE = "# calibration: "
COLUMNS = "# weight, minus log posterior (not known: 0), omega_m, sigma_8, s_8\n"
REASONS = {
    "calibrated": "",
    "corrected": " (over- or underconfident on test skies, therefore tempered)",
    WITHHELD: " (miscalibrated on test skies, and tempering does not help)",
}


def chain(samples: NDArray, calibration: str) -> str:
    """Write a chain as text.

    Parameters
    ----------
    samples
        (Ω_m, σ_8) of draws from the posterior, shape (n, 2).
    calibration
        Key of `REASONS`; it is in the first line.

    Returns
    -------
        Two comments, and a line for each sample. A withheld posterior has no samples,
        and a line that is not a number: whoever reads it is told, and not given an
        empty chain.
    """
    first = f"{FIRST_LINE}{calibration}{REASONS[calibration]}\n"
    if calibration == WITHHELD:
        return f"{first}{WITHHELD}\n"
    rows = io.StringIO()
    columns = np.column_stack([samples, omega_m_s8(samples)[:, 1]])
    np.savetxt(rows, columns, fmt="1 0 %.6g %.6g %.6g")
    return first + COLUMNS + rows.getvalue()


def names() -> str:
    """Write names and LaTeX labels; an asterisk marks what is derived."""
    return "".join(
        f"{name}{'*' if name == DERIVED else ''} {label}\n"
        for name, label in LABELS.items()
    )


def ranges(prior: Mapping[str, tuple[float, float]]) -> str:
    """Write the limits of the prior; what is derived has none (N)."""
    limits = (f"{name} {low} {high}\n" for name, (low, high) in prior.items())
    return "".join(limits) + f"{DERIVED} N N\n"


def read_calibration(path: Path) -> str:
    """Read from the first line of a chain how it was calibrated.

    Raises
    ------
    InfoscopeError
        If the file is not complete.
    """
    text = path.read_text(errors="replace")
    found = text.partition("\n")[0].removeprefix(FIRST_LINE).partition(" ")[0]
    if found not in REASONS or not text.endswith("\n"):
        raise InfoscopeError(f"{path}: is damaged: delete it and run again")
    return found
