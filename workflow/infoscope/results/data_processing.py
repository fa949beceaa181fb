"""The data-processing inequality as a check of every study.

Maps that are made from others hold no more information, so that their score cannot be
higher. If it is, something is wrong: either the estimator on the other maps is not at
its limit, or an operation brings in information from outside the patch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infoscope.results.comparison import (
    SIGNIFICANCE,
    Difference,
    SeedScatter,
    compare_scores,
    holm,
    scores,
)
from infoscope.results.measurements import Measurement
from infoscope.vocabulary import Calibration, TrainingVerdict


@dataclass(frozen=True)
class Bounds:
    """Bounds on the scores of an estimator.

    Attributes
    ----------
    pairs
        Pairs (smaller, larger) of degradations, the smaller of which cannot score
        higher.
    sees_tiles
        Whether the estimator could learn all that is in the maps.
    """

    pairs: Sequence[tuple[str, str]] = ()
    sees_tiles: bool = True

    def by(self, degradation: str, larger: str) -> bool:
        """Whether a degradation is bounded by another one."""
        return any(pair == (degradation, larger) for pair in map(tuple, self.pairs))


@dataclass(frozen=True)
class Excess:
    """A score that is impossible.

    Attributes
    ----------
    exceeded
        The measurement whose score is exceeded, although its maps contain everything.
    difference
        By how much.
    cause
        Which of the possible causes the evidence points to.
    """

    exceeded: Measurement
    difference: Difference
    cause: str


def excesses(
    measurements: Sequence[Measurement], bounds: Mapping[str, Bounds]
) -> dict[Measurement, list[Excess]]:
    """Find the measurements that score higher than is possible.

    Parameters
    ----------
    measurements
        Measurements of the whole study.
    bounds
        Bounds on the scores of each estimator.

    Returns
    -------
        For each such measurement, those that it exceeds. One-sided t-tests at
        `SIGNIFICANCE`, with Holm's correction for all bounds of an estimator.
    """
    scatter = SeedScatter(measurements, scores)
    by_name = {(m.degradation, m.estimator): m for m in measurements}
    found: dict[Measurement, list[Excess]] = {}
    for estimator, bound in bounds.items():
        on_same_maps = measurements if bound.sees_tiles else []
        tested = []
        for names in bound.pairs:
            smaller, larger = (by_name[name, estimator] for name in names)
            difference = compare_scores(smaller, larger, scatter)
            # what is not a number, or the same, is not tested
            if difference.error > 0:
                tested.append((smaller, larger, difference))
        adjusted = holm([difference.p_value for *_, difference in tested])
        for (smaller, larger, difference), p_value in zip(
            tested, adjusted, strict=True
        ):
            if p_value < SIGNIFICANCE:
                cause = _cause(larger, on_same_maps, scatter)
                excess = Excess(larger, difference, cause)
                found.setdefault(smaller, []).append(excess)
    return found


def _cause(
    larger: Measurement, others: Sequence[Measurement], scatter: SeedScatter
) -> str:
    """Return the cause of an excess that the evidence points to.

    Parameters
    ----------
    larger
        The measurement that is exceeded.
    others
        Measurements among which those of the same maps cannot score higher.
    scatter
        Scatter of scores between training runs.
    """
    name = f"{larger.degradation} / {larger.estimator}"
    signs = []
    if larger.training.verdict != TrainingVerdict.TRAINED:
        signs.append(f"training {larger.training.verdict}")
    if larger.calibration == Calibration.WITHHELD:
        signs.append("posteriors not calibrated")
    for other in others:
        if other.degradation == larger.degradation and other is not larger:
            lead = compare_scores(other, larger, scatter)
            if lead.p_value < SIGNIFICANCE:
                signs.append(f"{lead.value:.2g} bit below {other.estimator}")
    if signs:
        return f"training: {name} is not at its limit ({', '.join(signs)})"
    return (
        f"operation: {name} shows no fault, so an operation may bring in information "
        "from outside the patch"
    )
