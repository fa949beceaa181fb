"""A degraded patch does not change if all other patches of its sky change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infoscope.degradations import Operation, Patches
from infoscope.degradations.degrade import degrade, fit
from infoscope.degradations.locality import fault_of
from infoscope.errors import InfoscopeError
from infoscope.vocabulary import NoiseOrder

from ..conftest import N_PATCH, gaussian_fields, parsed
from .examples import EXAMPLES, RANGES, named

KEPT = 2
CHAIN: list[dict[str, Any]] = [
    {"operation": "lowpass", "ell": 100},
    {"operation": "keep_convergence", "ranges": RANGES, "fill": "resample"},
    {"operation": "select_peaks", "above": 0.0},
    {"operation": "sum_bins"},
]


def test_all_operations_are_tested() -> None:
    assert {example["operation"] for example in EXAMPLES} == set(Operation.registry)


@pytest.mark.parametrize(
    ("chain", "noise"),
    [
        pytest.param(chain, noise, id=f"{named(chain)}-{noise}")
        for chain in [*([one] for one in EXAMPLES), CHAIN]
        for noise in NoiseOrder
        # without noise, there is none to scale
        if noise != "none" or chain[0]["operation"] != "scale_noise"
    ],
)
def test_operation_is_local(patches: Patches, chain, noise: NoiseOrder) -> None:
    operations = [parsed(**parameters) for parameters in chain]
    rng = np.random.default_rng(9)
    others = 0.02 * gaussian_fields((2, N_PATCH), patches.survey.pixels, rng) + 0.01
    others[:, KEPT] = patches.kappa[:, KEPT]

    def generators() -> list[np.random.Generator]:
        return [np.random.default_rng(seed) for seed in (1, 2)]

    constants = fit(patches, operations, noise, *generators())
    one, other = (
        degrade(each, operations, noise, constants, *generators())
        for each in (patches, replace(patches, kappa=others))
    )
    assert np.array_equal(one[KEPT], other[KEPT])
    changed = [not np.array_equal(*pair) for pair in zip(one, other, strict=True)]
    assert sum(changed) == N_PATCH - 1
    assert fault_of(patches.survey, operations, noise) is None


OWN = '''"""Operations that look at more than one patch."""

from dataclasses import replace
from typing import Literal

import numpy as np

from infoscope.degradations import Constants, Operation, Patches, Survey

state = np.random.default_rng()


class Standardised(Operation):
    """Divides by the standard deviation of the sky."""

    operation: Literal["standardised"] = "standardised"

    def apply(self, patches, constants, rng):
        sigma = patches.kappa.std(axis=(1, 2, 3), keepdims=True)
        return replace(patches, kappa=patches.kappa / sigma)


class Refilled(Operation):
    """Draws as many random numbers as there are positive pixels."""

    operation: Literal["refilled"] = "refilled"

    def apply(self, patches, constants, rng):
        kappa = patches.kappa.copy()
        kappa[kappa > 0] = rng.random((kappa > 0).sum())
        return replace(patches, kappa=kappa)


class RefilledBackwards(Operation):
    """Draws them for the last patch first."""

    operation: Literal["refilled_backwards"] = "refilled_backwards"

    def apply(self, patches, constants, rng):
        kappa = patches.kappa.copy()
        for patch in range(kappa.shape[1])[::-1]:
            positive = kappa[:, patch] > 0
            kappa[:, patch][positive] = rng.random(positive.sum())
        return replace(patches, kappa=kappa)


class OwnDice(Operation):
    """Draws random numbers from another generator."""

    operation: Literal["own_dice"] = "own_dice"

    def apply(self, patches, constants, rng):
        return replace(patches, kappa=state.standard_normal(patches.kappa.shape))


class InPlace(Operation):
    """Changes its input."""

    operation: Literal["in_place"] = "in_place"

    def apply(self, patches, constants, rng):
        patches.kappa[...] = 0
        return patches


class Cropped(Operation):
    """Removes the edge."""

    operation: Literal["cropped"] = "cropped"

    def apply(self, patches, constants, rng):
        return replace(patches, kappa=patches.kappa[..., 1:-1, 1:-1])


class Summed(Operation):
    """Sums the bins without telling."""

    operation: Literal["summed"] = "summed"

    def apply(self, patches, constants, rng):
        return replace(patches, kappa=patches.kappa.sum(axis=0, keepdims=True))


class Forgotten(Operation):
    """Returns nothing."""

    operation: Literal["forgotten"] = "forgotten"

    def apply(self, patches, constants, rng):
        pass


class OneNumber(Operation):
    """Fits one number for all bins."""

    operation: Literal["one_number"] = "one_number"

    def fit(self, patches):
        return {"sigma": patches.kappa.std()}

    def apply(self, patches, constants, rng):
        return patches


class NoDictionary(Operation):
    """Fits a list."""

    operation: Literal["no_dictionary"] = "no_dictionary"

    def fit(self, patches):
        return [1.0]

    def apply(self, patches, constants, rng):
        return patches


class Fitted(Operation):
    """Divides by the standard deviation at the fiducial cosmology, and is local."""

    operation: Literal["fitted"] = "fitted"

    def fit(self, patches: Patches) -> Constants:
        return {"sigma": patches.kappa.std(axis=(1, 2, 3))}

    def apply(self, patches, constants, rng):
        sigma = np.reshape(constants["sigma"], (-1, 1, 1, 1))
        return replace(patches, kappa=patches.kappa / sigma)


class Impossible(Operation):
    """Cannot be fitted to patches without structure."""

    operation: Literal["impossible"] = "impossible"

    def fit(self, patches: Patches) -> Constants:
        from infoscope.errors import InfoscopeError

        raise InfoscopeError("at: no pixel is so high")

    def apply(self, patches, constants, rng):
        return patches
'''
FAULTS = {
    "standardised": "standardised: is not local: a patch changes if",
    "refilled": "refilled: is not local",
    "refilled_backwards": "refilled_backwards: is not local",
    "own_dice": "own_dice: does not return the same patches again",
    "in_place": "in_place: ValueError: assignment destination is read-only",
    "cropped": "cropped: `apply` returns patches of the shape (4, 3, 30, 30)",
    "summed": "summed: `apply` returns patches of the shape (1, 3, 32, 32)",
    "forgotten": "forgotten: `apply` returns NoneType instead of Patches",
    "one_number": "one_number: `fit` returns 'sigma' with the shape (); return one "
    "number for each of the 4 bins",
    "no_dictionary": "no_dictionary: `fit` returns list instead of a dictionary",
}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    models = Operation.registry.models
    before = dict(models)
    path = tmp_path / "own.py"
    path.write_text(OWN)
    yield path
    models.clear()
    models.update(before)


def check(own: Path, noise: str, *operations: dict[str, Any]) -> None:
    from infoscope.study.checks import checked_study

    checked_study(
        {
            "study": "x",
            "survey": {"noise": noise},
            "operation_files": [str(own)],
            "degradations": {
                "reference": {},
                "own": {"operations": list(operations)},
            },
        }
    )


@pytest.mark.parametrize("noise", NoiseOrder)
@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_before_any_job(own: Path, name: str, noise: str) -> None:
    first = {"operation": "lowpass", "ell": 60}
    with pytest.raises(InfoscopeError) as caught:
        check(own, noise, first, {"operation": name})
    place = "config: degradations.own.operations.1: "
    assert str(caught.value).startswith(place + FAULTS[name])
    assert "\n" not in str(caught.value)


def test_random_numbers_of_one_bin_are_counted(own: Path) -> None:
    for name in ("refilled", "refilled_backwards"):
        with pytest.raises(InfoscopeError, match="is not local"):
            check(own, "before", {"operation": "sum_bins"}, {"operation": name})


def test_what_is_local_passes(own: Path) -> None:
    check(own, "before", {"operation": "fitted"}, {"operation": "shuffle_pixels"})
    # whether it is possible is known only with the fiducial patches
    check(own, "before", {"operation": "impossible"})


def test_fault_in_the_operations_of_the_survey_names_them(own: Path) -> None:
    from infoscope.study.checks import checked_study

    config = {
        "study": "x",
        "survey": {"base_operations": [{"operation": "standardised"}]},
        "operation_files": [str(own)],
        "degradations": {"reference": {}},
    }
    with pytest.raises(InfoscopeError, match=r"^config: survey\.base_operations\.0: "):
        checked_study(config)


def test_what_degradations_share_is_tested_once(own: Path, monkeypatch) -> None:
    from infoscope.study import checks

    runs = []

    def counted(survey, operations, noise) -> str | None:
        runs.append((noise, [each.name_in_config for each in operations]))
        return fault_of(survey, operations, noise)

    monkeypatch.setattr(checks, "fault_of", counted)
    shuffled = {"operations": [{"operation": "shuffle_pixels"}]}
    config = {
        "study": "x",
        "survey": {"base_operations": [{"operation": "fitted"}]},
        "operation_files": [str(own)],
        "degradations": {
            "reference": {},
            "one": shuffled,
            "noiseless": shuffled | {"noise": "none"},
            "twice": {"operations": [{"operation": "fitted"}]},
        },
    }
    checks.checked_study(config)
    assert runs == [
        ("before", ["fitted"]),
        ("none", ["fitted"]),
        ("before", ["fitted", "fitted"]),
    ]
