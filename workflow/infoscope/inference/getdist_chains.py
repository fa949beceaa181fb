"""Chains: posterior samples as text in the format of CosmoMC and GetDist.

Samples have equal weights. Their density is not stored, so the column of minus log
posterior is 0.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from infoscope.cosmology.parameters import omega_m_s8
from infoscope.errors import InfoscopeError
from infoscope.vocabulary import Calibration

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

# GetDist reads `{name}_2.txt` as the second chain of `{name}`, which may be the name of
# another estimator
SUFFIX = ".1.txt"
LABELS = {"omega_m": r"\Omega_m", "sigma_8": r"\sigma_8", "s_8": "S_8"}
DERIVED = "s_8"
FIRST_LINE = "# calibration: "
COLUMNS = "# weight, minus log posterior (not stored: 0), omega_m, sigma_8, s_8\n"
REASONS = {
    "calibrated": "",
    "corrected": " (over- or underconfident on test skies, hence tempered)",
    Calibration.WITHHELD: " (miscalibrated on test skies, even after tempering)",
}


def chain(samples: Float[NDArray, "n 2"], calibration: str) -> str:
    """Format a chain as text.

    Parameters
    ----------
    samples
        (Ω_m, σ_8) of posterior draws.
    calibration
        Key of `REASONS`, written to the first line.

    Returns
    -------
        Two comment lines and one line per sample. The chain of a withheld posterior
        has a line that is not a number instead of samples, so that reading it fails.
    """
    first = f"{FIRST_LINE}{calibration}{REASONS[calibration]}\n"
    if calibration == Calibration.WITHHELD:
        return f"{first}{Calibration.WITHHELD}\n"
    rows = io.StringIO()
    columns = np.column_stack([samples, omega_m_s8(samples)[:, 1]])
    np.savetxt(rows, columns, fmt="1 0 %.6g %.6g %.6g")
    return first + COLUMNS + rows.getvalue()


def names() -> str:
    """Format names and LaTeX labels; an asterisk marks derived parameters."""
    return "".join(
        f"{name}{'*' if name == DERIVED else ''} {label}\n"
        for name, label in LABELS.items()
    )


def ranges(prior: Mapping[str, tuple[float, float]]) -> str:
    """Format the limits of the prior; derived parameters have none (N)."""
    limits = (f"{name} {low} {high}\n" for name, (low, high) in prior.items())
    return "".join(limits) + f"{DERIVED} N N\n"


def read_calibration(path: Path) -> str:
    """Read the calibration verdict from the first line of a chain.

    Raises
    ------
    InfoscopeError
        If the file is incomplete.
    """
    text = path.read_text(errors="replace")
    verdict = text.partition("\n")[0].removeprefix(FIRST_LINE).partition(" ")[0]
    if verdict not in REASONS or not text.endswith("\n"):
        raise InfoscopeError(f"{path}: is damaged: delete it and run again")
    return verdict
