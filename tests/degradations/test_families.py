"""Families of degradations."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from infoscope.degradations import Operation
from infoscope.degradations.families import family_of
from infoscope.figures.markers import OF_FAMILY, family_colour
from infoscope.study import specs
from infoscope.study.config import parse_study
from infoscope.vocabulary import Family

ROOT = Path(__file__).parents[2]


def families(names: list[str]) -> list[Family]:
    registry = Operation.registry
    return [
        registry[name].family if name in registry else Operation.family
        for name in names
    ]


@pytest.mark.parametrize(
    ("names", "family"),
    [
        ([], "reference"),
        (["highpass"], "scales"),
        (["highpass", "lowpass"], "scales"),
        (["keep_convergence"], "values"),
        (["lowpass", "keep_convergence"], "values"),
        (["lowpass", "random_mask"], "controls"),
        (["keep_convergence", "lowpass"], "combined"),
        (["lowpass", "sum_bins"], "combined"),
        (["sum_bins", "scale_noise"], "redshifts"),
        (["scale_noise"], "survey"),
        (["clip"], "own"),
    ],
)
def test_family_of_operations(names: list[str], family: str) -> None:
    assert family_of(families(names)) == family


def test_other_noise_counts_only_where_nothing_else_is_done() -> None:
    assert family_of([], other_survey=True) == "survey"
    assert family_of([Family.SCALES], other_survey=True) == "scales"


def test_families_have_a_heading_and_a_colour_each() -> None:
    assert set(OF_FAMILY) == set(Family)
    assert len({family_colour(family) for family in Family}) == len(Family)
    assert len({family.heading for family in Family}) == len(Family)


def test_built_in_operations_have_a_family_other_than_own() -> None:
    assert {model.family for model in Operation.registry.models.values()}.isdisjoint(
        {Family.OWN, Family.REFERENCE, Family.COMBINED}
    )


def test_families_of_a_study_follow_from_its_config() -> None:
    path = ROOT / "config/studies/claims.yaml"
    found = specs.families(parse_study(yaml.safe_load(path.read_text())))
    assert found["reference"] == "reference"
    assert found["reference_ia"] == found["reference_noiseless"] == "survey"
    assert found["bandpass_8_12_noiseless"] == found["smoothed_8"] == "scales"
    assert found["low_mid"] == found["high_ia"] == "values"


def contours(name: str, *chosen: str) -> list[str]:
    config = yaml.safe_load((ROOT / f"config/studies/{name}.yaml").read_text())
    return specs.contours(parse_study(config | {"figures": {"contours": chosen}}))


def test_contours_are_those_chosen_beside_the_reference() -> None:
    assert contours("scales", "lowpass_8") == ["reference", "lowpass_8"]
    chosen = ["lowpass_8", "reference", "lowpass_2", "lowpass_8"]
    assert contours("scales", *chosen) == ["reference", "lowpass_8", "lowpass_2"]


def test_contours_are_taken_in_turn_from_the_families() -> None:
    assert contours("ci") == ["reference", "shuffle_pixels"]
    found = contours("claims")
    assert len(found) == 8
    config = yaml.safe_load((ROOT / "config/studies/claims.yaml").read_text())
    of_study = specs.families(parse_study(config))
    assert {of_study[name] for name in found} == set(of_study.values())
    # one family has all that there is room for
    filters = [f"lowpass_{scale}" for scale in (2, 4, 8, 12, 20, 30, 60)]
    assert contours("scales") == ["reference", *filters]
