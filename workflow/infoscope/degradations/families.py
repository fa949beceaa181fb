"""Families of degradations: which kind of information one removes.

A family follows from the operations of a degradation, those of the survey aside, which
the reference has too. Noise and alignment of its own make one only where there is no
other operation, and filters that come before a cut of values, or before its control,
belong to it: they smooth what is cut. What is left of several families is combined.
"""

from __future__ import annotations

from collections.abc import Sequence

REFERENCE, SCALES, VALUES, CONTROLS = "reference", "scales", "values", "controls"
STATISTICS, POSITIONS, REDSHIFTS = "statistics", "positions", "redshifts"
SURVEY, OWN, COMBINED = "survey", "own", "combined"

# in the order of figures, with their names there
HEADINGS = {
    REFERENCE: "Reference",
    SCALES: "Scales",
    VALUES: "Values of the convergence",
    CONTROLS: "Random masks (controls)",
    STATISTICS: "Gaussian or non-Gaussian",
    POSITIONS: "Positions",
    REDSHIFTS: "Redshift bins",
    SURVEY: "Noise and alignment",
    OWN: "Own operations",
    COMBINED: "Combined",
}

OF_OPERATION = {
    "lowpass": SCALES,
    "highpass": SCALES,
    "bandpass": SCALES,
    "bandstop": SCALES,
    "keep_convergence": VALUES,
    "select_peaks": VALUES,
    "select_voids": VALUES,
    "random_mask": CONTROLS,
    "gaussianize_pixels": STATISTICS,
    "randomize_phases": STATISTICS,
    "flatten_spectrum": STATISTICS,
    "shuffle_pixels": POSITIONS,
    "sum_bins": REDSHIFTS,
    "select_bins": REDSHIFTS,
    "scale_noise": SURVEY,
}


def family_of(operations: Sequence[str], *, other_survey: bool = False) -> str:
    """Family of a degradation.

    Parameters
    ----------
    operations
        Names of its own operations, in order.
    other_survey
        Whether it has a noise or an alignment of its own.

    Returns
    -------
        A key of `HEADINGS`.
    """
    families = [OF_OPERATION.get(name, OWN) for name in operations]
    other_survey = other_survey or SURVEY in families
    families = [family for family in families if family != SURVEY]
    cut = VALUES in families or CONTROLS in families
    while cut and families[0] == SCALES:
        del families[0]
    if not families:
        return SURVEY if other_survey else REFERENCE
    return families[0] if len(set(families)) == 1 else COMBINED
