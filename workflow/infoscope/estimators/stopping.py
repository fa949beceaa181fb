"""Training verdicts: whether more steps or more skies would improve a training run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from infoscope.vocabulary import TrainingVerdict

# Losses are ln σ summed over two parameters: 0.02 nat are 1 % of each width.
LARGEST_DROP = 0.02
LARGEST_GAP = 0.1
TAIL = 0.1


class Evaluation(Protocol):
    """The attributes of `training.Evaluation` that are used here."""

    @property
    def step(self) -> int:
        """Number of gradient steps so far."""

    @property
    def validation_nll(self) -> float:
        """Mean loss of the validation skies."""


def final_drop(history: Sequence[Evaluation], steps: int) -> float:
    """Compute the drop of the validation loss in the last tenth of the steps, in nat.

    Parameters
    ----------
    history
        Evaluations, in order.
    steps
        Maximum number of gradient steps.

    Returns
    -------
        Lowest loss before the last tenth minus lowest loss overall; 0 for a training
        run that stopped early, and infinity without an evaluation before the last
        tenth.
    """
    if history[-1].step < steps:
        return 0.0
    before_tail = [
        evaluation.validation_nll
        for evaluation in history
        if evaluation.step <= (1 - TAIL) * steps
    ]
    if not before_tail:
        return float("inf")
    return min(before_tail) - min(evaluation.validation_nll for evaluation in history)


def verdict(drop: float, gap: float, gap_error: float) -> str:
    """Return the verdict on a training run.

    Parameters
    ----------
    drop
        Drop of the validation loss at the end, see `final_drop`.
    gap
        Validation loss minus training loss.
    gap_error
        Standard error of the gap.

    Returns
    -------
        `falling` if more steps would help, `overfit` if more skies would help,
        `falling and overfit` if both would, otherwise `trained`.

    Examples
    --------
    >>> verdict(drop=0.05, gap=0.0, gap_error=0.0)
    'falling'
    """
    problems: list[str] = []
    if drop > LARGEST_DROP:
        problems.append(TrainingVerdict.FALLING)
    if gap - gap_error > LARGEST_GAP:
        problems.append(TrainingVerdict.OVERFIT)
    return " and ".join(problems) or TrainingVerdict.TRAINED
