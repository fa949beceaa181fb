"""Degradations that cannot contain more information than others, from the config.

Data-processing inequality: if the maps of one degradation are a function of those of
another one and of dice, no estimator can learn more from them. Operations act on each
patch alone, so the order of the operations and of the noise decides this. The
degradations without such a bound are counterfactual surveys: other noise, other
effects, or a structure that is removed before noise is added.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations, product

from infoscope.degradations.containment import contains
from infoscope.degradations.operation import Operation
from infoscope.effects.config import dumped
from infoscope.study.config import Study
from infoscope.vocabulary import REFERENCE, Family

Pair = tuple[str, str]


@dataclass(frozen=True)
class _Noise:
    """The shape noise, as a step between operations, and what scales it."""

    scaled_by: tuple[Operation, ...]


Step = Operation | _Noise


def _steps(study: Study, degradation: str) -> list[Step]:
    """Return what is done to the maps of a degradation, in order."""
    own = study.degradations[degradation]
    operations = [*study.survey.base_operations, *own.operations]
    # these operations change the noise at any place in the list
    scaling = tuple(item for item in operations if item.family is Family.SURVEY)
    steps: list[Step] = [item for item in operations if item not in scaling]
    match own.noise or study.survey.noise:
        case "before":
            return [_Noise(scaling), *steps]
        case "after":
            return [*steps, _Noise(scaling)]
    return steps


def _further_steps(study: Study, smaller: str, larger: str) -> list[Step] | None:
    """Return steps that make the maps of one degradation from those of another.

    Returns
    -------
        The steps; None if there are none, or if they are not known.
    """
    if dumped(study.effects(smaller)) != dumped(study.effects(larger)):
        return None
    steps, first = _steps(study, smaller), _steps(study, larger)
    if steps[: len(first)] == first:
        return steps[len(first) :]
    if not first or len(steps) < len(first) or steps[: len(first) - 1] != first[:-1]:
        return None
    last, other = first[-1], steps[len(first) - 1]
    if isinstance(last, _Noise) or isinstance(other, _Noise):
        return None
    return steps[len(first) - 1 :] if contains(last, other) else None


def nested(study: Study) -> list[Pair]:
    """Return pairs (smaller, larger) of degradations.

    The maps of the smaller one are made from those of the larger one: it has further
    operations, or a narrower cut, filter or selection of bins in the place of the last
    operation.
    """
    return [
        (smaller, larger)
        for smaller, larger in permutations(study.degradations, 2)
        if _further_steps(study, smaller, larger) is not None
    ]


def bounds(study: Study, estimator: str) -> list[Pair]:
    """Return the pairs whose smaller degradation cannot score higher.

    An estimator on tiles can learn from the larger one whatever is in the smaller one.
    An estimator on spectra cannot: operations that are not linear can move information
    from other statistics into the spectra. Nothing is known about other estimators.
    """
    chosen = study.estimators[estimator]
    if chosen.sees_tiles:
        return nested(study)
    if not chosen.sees_spectra:
        return []
    return [
        pair
        for pair in nested(study)
        if all(map(_maps_spectra, _further_steps(study, *pair) or []))
    ]


def _maps_spectra(step: Step) -> bool:
    """Whether spectra after a step follow from those before it: it is linear."""
    if isinstance(step, _Noise) or step.preserves_spectra:
        return True
    return type(step).response is not Operation.response


def counterfactuals(study: Study) -> list[str]:
    """Return the degradations whose maps are not made from those of the reference."""
    return [
        name
        for name in study.degradations
        if name != REFERENCE and _further_steps(study, name, REFERENCE) is None
    ]


def same_inputs(study: Study, degradation: str, estimator: str) -> str | None:
    """Return the degradation with the same inputs, whose training runs are used.

    Estimators on spectra have the same inputs as on the reference if all further
    operations preserve spectra.
    """
    if degradation == REFERENCE or not study.estimators[estimator].sees_spectra:
        return None
    further = _further_steps(study, degradation, REFERENCE)
    if not further or any(isinstance(step, _Noise) for step in further):
        return None
    preserved = (getattr(step, "preserves_spectra", False) for step in further)
    return REFERENCE if all(preserved) else None


def training_runs(
    study: Study, degradations: Iterable[str] | None = None
) -> list[Pair]:
    """Return the degradations and estimators that are trained, in order.

    Parameters
    ----------
    study
        The study.
    degradations
        Degradations that need training runs; by default all of the study.
    """
    pairs = product(
        study.degradations if degradations is None else degradations, study.estimators
    )
    return list(
        dict.fromkeys((same_inputs(study, *pair) or pair[0], pair[1]) for pair in pairs)
    )
