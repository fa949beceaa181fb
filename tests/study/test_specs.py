"""The grid can be extended, and a spec contains only settings of its stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infoscope.cosmology.config import CosmologyConfig
from infoscope.seeds import seed_of
from infoscope.skies.grid import grid
from infoscope.study import digests, specs
from infoscope.study.config import parse_study


def study(**changes):
    base = {"study": "x", "degradations": {"reference": {}, "other": {}}}
    return parse_study(base | changes)


def test_longer_grid_begins_with_the_shorter_one() -> None:
    config = CosmologyConfig()
    short, long = grid(config, "train", 0, 16, 1), grid(config, "train", 0, 64, 1)
    assert np.array_equal(long[:16], short)
    assert np.array_equal(long[16:32], grid(config, "train", 16, 32, 1))
    assert (long > [0.15, 0.5]).all() and (long < [0.45, 1.2]).all()
    # low discrepancy: each of 8 × 8 cells contains one of 64 Sobol points
    cells = np.floor((long - [0.15, 0.5]) / [0.3, 0.7] * 8).astype(int)
    assert len(np.unique(cells, axis=0)) == 64


def test_splits_and_seeds_differ() -> None:
    config = CosmologyConfig()
    points = [grid(config, s, 0, 4, 1) for s in ("train", "validation", "test")]
    assert len(np.unique(np.concatenate(points), axis=0)) == 12
    assert not np.array_equal(points[0], grid(config, "train", 0, 4, 2))
    assert seed_of(1, "a") != seed_of(1, "b")


def test_shards_of_a_longer_grid_keep_their_specs() -> None:
    short, long = study(), study(grid={"train": {"cosmologies": 256, "skies": 4}})
    assert len(specs.shards(long, "train")) > len(specs.shards(short, "train"))
    for i in range(len(specs.shards(short, "train"))):
        assert specs.simulate(short, "train", i) == specs.simulate(long, "train", i)


def test_spec_ignores_what_the_stage_does_not_use() -> None:
    one, two = study(), study(training={"seeds": 5}, posterior={"bootstraps": 9})
    assert specs.train(one, "other", "cnn", 0) == specs.train(two, "other", "cnn", 0)
    assert specs.degrade(one, "other", "test") == specs.degrade(two, "other", "test")


HIGH = {"operation": "keep_convergence", "ranges": [[1, None]]}
CONTROL = {"operation": "random_mask", "area_of": {"ranges": [[1, None]]}}


def with_operations(base=(), **operations):
    degradations = {name: {"operations": chosen} for name, chosen in operations.items()}
    return parse_study(
        {
            "study": "x",
            "survey": {"base_operations": list(base)},
            "degradations": {"reference": {}} | degradations,
        }
    )


def test_degradations_with_constants_are_those_that_need_a_fit() -> None:
    some = with_operations(
        high=[HIGH],
        of_tile=[HIGH | {"of": "tile"}],
        control=[{"operation": "shuffle_pixels"}, CONTROL],
        fraction=[{"operation": "random_mask", "fraction": 0.5}],
        peaks=[{"operation": "select_peaks", "above": 1}],
        all_peaks=[{"operation": "select_peaks"}],
        smooth=[{"operation": "lowpass", "ell": 100}],
    )
    assert specs.fitted(some) == ["high", "control", "peaks"]
    assert specs.fitted(with_operations(base=[HIGH], other=[])) == [
        "reference",
        "other",
    ]
    assert specs.fitted(study()) == []


def test_constants_depend_on_the_operations_and_the_fiducial_skies() -> None:
    """The spec of the fit is that of the fiducial tiles, whatever the study's grid."""
    one = with_operations(high=[HIGH])
    spec = specs.degrade(one, "high", "fiducial", [0, 2])
    assert spec["operations"][0]["ranges"] == [[1.0, None]]
    assert spec["patches"] == [0, 2] and spec["side_deg"] == 29.3
    assert spec["split"] == "fiducial"
    assert {"noise", "sigma_e", "n_gal_arcmin2", "effects", "seed"} < set(spec)
    longer = one.model_copy(update={"grid": study(grid={"shard_size": 2}).grid})
    assert specs.degrade(longer, "high", "fiducial", [0, 2]) == spec
    assert specs.fit_code(one, "high") != specs.degrade_code(one, "high")


def test_skies_depend_on_patches_and_on_the_effects_that_are_used() -> None:
    plain = specs.simulate(study(), "train", 0)
    assert plain["side_deg"] == 29.3 and plain["pixels"] == 32
    assert plain["n_patch"] == 48 and plain["effects"] == []
    noisy = study(survey={"noise": "none", "base_operations": [HIGH], "sigma_e": 0.2})
    assert specs.simulate(noisy, "train", 0) == plain
    aligned = {"intrinsic_alignment": {"a_ia": 1.0}}
    anywhere = parse_study(
        {"study": "x", "degradations": {"reference": {}, "aligned": aligned}}
    )
    for some in (study(survey=aligned), anywhere):
        assert specs.simulate(some, "train", 0) == plain | {
            "effects": ["intrinsic_alignment"]
        }
    finer = specs.simulate(study(survey={"patch": {"side_deg": 15}}), "train", 0)
    assert finer == plain | {"side_deg": 15.0, "n_patch": 183}


def with_curves(fractions=(0.25, 0.5), **changes):
    curves = {"degradations": ["other"], "fractions": list(fractions)}
    return study(learning_curves=curves, **changes)


def test_budgets_reduce_only_numbers_above_one() -> None:
    # 128 cosmologies of 4 skies
    assert specs.budgets(with_curves()) == [
        "cosmologies_25", "cosmologies_50", "skies_25", "skies_50",
        "steps_25", "steps_50",
    ]  # fmt: skip
    assert specs.budgets(with_curves([0.5, 0.501, 0.1])) == [
        "cosmologies_10", "cosmologies_50", "skies_50", "steps_10", "steps_50",
    ]  # fmt: skip
    one_sky = with_curves(grid={"train": {"cosmologies": 4, "skies": 1}})
    assert specs.budgets(one_sky) == [
        "cosmologies_25", "cosmologies_50", "steps_25", "steps_50",
    ]  # fmt: skip


def test_a_budget_reduces_one_number() -> None:
    some = with_curves([0.33])
    whole = specs.train(some, "other", "cnn", 0)
    assert whole["skies"] == {"cosmologies": 128, "skies": 4}
    assert whole["estimator"]["steps"] == 4000

    def reduced(budget: str) -> dict:
        return specs.train(some, "other", "cnn", 0, budget)

    fewer_cosmologies = {"skies": {"cosmologies": 42, "skies": 4}}
    assert reduced("cosmologies_33") == whole | fewer_cosmologies
    assert reduced("skies_33") == whole | {"skies": {"cosmologies": 128, "skies": 1}}
    fewer_steps = whole["estimator"] | {"steps": 1320}
    assert reduced("steps_33") == whole | {"estimator": fewer_steps}
    assert specs.learning_curves(some)["numbers"]["cnn"] == {
        "cosmologies": 128, "skies": 4, "steps": 4000,
        "cosmologies_33": 42, "skies_33": 1, "steps_33": 1320,
    }  # fmt: skip


def test_learning_curves_do_not_change_other_training_runs() -> None:
    for estimator in ("cnn", "power_spectrum"):
        one, two = study(), with_curves()
        assert specs.train(one, "other", estimator, 0) == specs.train(
            two, "other", estimator, 0
        )


def test_code_of_skies_is_that_of_the_chosen_simulator() -> None:
    codes = {
        name: specs.simulate_code(study(simulator={"name": name}))
        for name in ("lognormal", "gaussian", "nbody")
    }
    assert len(set(codes.values())) == 3


def test_digest_of_pages_includes_their_templates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "report/templates/page.html.jinja"
    template.parent.mkdir(parents=True)
    monkeypatch.setattr(digests, "PACKAGE", tmp_path)
    monkeypatch.setattr(specs, "code", str)
    template.write_text("<p>one</p>")
    first = specs.summarise_code()
    template.write_text("<p>other</p>")
    assert specs.summarise_code() != first
