"""Whether trainings are done: two numbers from their history, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from infoscope.vocabulary import TrainingVerdict

# Losses are ln σ summed over two parameters: 0.02 nat are 1 % of each width.
LARGEST_DROP = 0.02
LARGEST_GAP = 0.1
TAIL = 0.1


class Evaluation(Protocol):
    """What is used of an evaluation, see `training.Evaluation`."""

    @property
    def step(self) -> int:
        """Gradient steps made."""

    @property
    def validation_nll(self) -> float:
        """Loss of the validation skies."""


def final_drop(history: Sequence[Evaluation], steps: int) -> float:
    """How far the validation loss fell in the last tenth of the steps, in nat.

    Parameters
    ----------
    history
        Evaluations in order.
    steps
        Steps that the training was allowed.

    Returns
    -------
        Lowest loss before the tail minus lowest loss of all; 0 for a training that
        ended early, and infinity if there was no evaluation before the tail.
    """
    if history[-1].step < steps:
        return 0.0
    before = [
        evaluation.validation_nll
        for evaluation in history
        if evaluation.step <= (1 - TAIL) * steps
    ]
    if not before:
        return float("inf")
    return min(before) - min(evaluation.validation_nll for evaluation in history)


def verdict(drop: float, gap: float, gap_error: float) -> str:
    """Judge whether a training run is done.

    Parameters
    ----------
    drop
        See `final_drop`.
    gap
        Validation loss minus training loss.
    gap_error
        Standard error of the gap.

    Returns
    -------
        `falling` if more steps would help, `overfit` if more skies would, both joined
        by ` and `, or else `trained`.
    """
    problems: list[str] = []
    if drop > LARGEST_DROP:
        problems.append(TrainingVerdict.FALLING)
    if gap - gap_error > LARGEST_GAP:
        problems.append(TrainingVerdict.OVERFIT)
    return " and ".join(problems) or TrainingVerdict.TRAINED
