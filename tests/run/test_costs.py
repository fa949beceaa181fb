"""Costs of jobs follow from the work of a study."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from infoscope.estimators import batches, training
from infoscope.estimators.kinds.cnn import CNN
from infoscope.run.costs import (
    DEFAULT,
    POOL_BYTES,
    START_BATCH,
    SUMMARISED,
    Costs,
    cut_seconds,
)
from infoscope.skies.simulators.lognormal import Lognormal
from infoscope.stages import train_estimator
from infoscope.study import specs
from infoscope.study.config import parse_study
from infoscope.survey.redshifts import redshift_distribution

RULES = Path(__file__).parents[2] / "workflow/rules"
SHARD = {"split": "train", "shard": "0000"}
FINE = {"nside": 512, "patch": {"pixels": 256}}
TRAINING = {"degradation": "reference", "estimator": "cnn", "seed": "0"}


def costs(**config: Any) -> Costs:
    config = {"study": "x", "degradations": {"reference": {}}} | config
    study = parse_study(config)
    nz = redshift_distribution(specs.nz(study), study.survey.nz.paths)
    return Costs.of(study, nz)


def degraded(*operations: dict[str, Any], **config: Any) -> Costs:
    degradations = {"reference": {"operations": list(operations)}}
    return costs(degradations=degradations, **config)


def test_every_rule_has_a_cost() -> None:
    text = "".join(path.read_text() for path in RULES.glob("*.smk"))
    rules = {}
    for rule in re.split(r"^(?=(?:use )?rule )", text, flags=re.M)[1:]:
        name = re.match(r"(?:use rule \w+ as|rule) (\w+)", rule)[1]
        rules[name] = rule
        # a request of another rule is enough for some jobs
        asked = re.findall(r'(mem_mb|runtime)=\1\("(\w+)"\)', rule)
        own = [("mem_mb", name), ("runtime", name)]
        assert asked == own or (asked == [] and rule.startswith("use rule"))
    assert len(rules) > 20
    local = {name for name, rule in rules.items() if "    localrule: True\n" in rule}
    known = {rule for rule in rules if callable(getattr(Costs, rule, None))}
    # small tables and most figures cost little
    assert set(rules) - known <= local | {"figure"}
    assert known & local == {"plot_sky_map"}


def test_small_jobs_have_a_default_cost() -> None:
    assert costs().job("plot_triangle", {"estimator": "cnn"}) == DEFAULT
    assert costs().job("plot_sky_map", {}).memory_mb > DEFAULT.memory_mb


def test_sizes_are_those_of_the_modules_that_use_them() -> None:
    assert POOL_BYTES == batches.POOL_BYTES
    assert START_BATCH == training.START_BATCH
    assert SUMMARISED == train_estimator.SUMMARISED


def test_fine_skies_cost_more_than_their_pixels() -> None:
    """Transforms take a time ∝ nside³, everything else, and memory, ∝ nside²."""
    lowpass = {"operation": "lowpass", "scale_mpc_h": 100}
    coarse, fine = (
        degraded(lowpass, survey={"nside": nside, "patch": {"pixels": nside // 2}})
        for nside in (1024, 2048)
    )
    for rule, wildcards in {
        "simulate_skies": SHARD,
        "degrade_maps": {"degradation": "reference"} | SHARD,
    }.items():
        low, high = (study.job(rule, wildcards) for study in (coarse, fine))
        assert 3.9 < high.seconds / low.seconds < 8
        assert high.size == 4 * low.size
        assert 3 < high.memory_mb / low.memory_mb <= 4


def test_skies_are_as_large_as_their_patches() -> None:
    """Terms of effects are stored where they are used, full skies in the fiducial."""
    fiducial = {"split": "fiducial", "shard": "0000"}
    aligned = {"intrinsic_alignment": {"a_ia": 1.0}}
    pixels = 4 * 48 * 32**2
    for survey, value in (({}, 4), (aligned, 4 + 3 * 2)):
        study = costs(survey=survey)
        job = study.job("simulate_skies", SHARD)
        assert job.size == 64 * 4 * pixels * value
        skies = study.job("simulate_skies", fiducial).size / 8
        assert skies == pixels * value + 4 * 4 * 12 * 64**2
    more = job.seconds - costs().job("simulate_skies", SHARD).seconds
    assert more > 256 * 12 * cut_seconds(64, 191, 48 * 32**2)
    # fewer patches cost less than all of them, but not nothing
    few = costs(survey={"patch": {"per_sky": 4}}).job("simulate_skies", SHARD)
    whole = costs().job("simulate_skies", SHARD)
    assert few.size == whole.size / 12
    assert 0.5 < few.seconds / whole.seconds < 1


def test_a_shard_costs_what_is_in_it() -> None:
    grid = {"train": {"cosmologies": 96, "skies": 4}, "shard_size": 64}
    study = costs(grid=grid, survey={"nside": 512})
    whole = study.job("simulate_skies", SHARD)
    rest = study.job("simulate_skies", SHARD | {"shard": "0001"})
    assert rest.size == whole.size / 2
    assert rest.seconds == pytest.approx(whole.seconds / 2, rel=0.01)
    assert rest.memory_mb == whole.memory_mb


def test_particles_cost_more_than_fields_whatever_the_resolution() -> None:
    fields = costs().job("simulate_skies", SHARD)
    small, large = (
        costs(simulator={"name": "nbody", "n_particles": n, "n_mesh": 2 * n})
        for n in (128, 256)
    )
    job = small.job("simulate_skies", SHARD)
    # 256 skies of a minute
    assert 3 * 3600 < job.seconds < 9 * 3600
    assert job.requested_minutes > 60 * fields.requested_minutes
    ratio = large.job("simulate_skies", SHARD).seconds / job.seconds
    assert ratio == pytest.approx(8, rel=0.1)
    particles = small.study.simulator.memory_mb - Lognormal().memory_mb
    assert job.memory_mb == pytest.approx(fields.memory_mb + particles)
    assert particles > 1000


def test_operations_cost_the_pixels_of_the_patches_in_the_mask() -> None:
    low = {"operation": "lowpass", "scale_mpc_h": 30}
    job = ("degrade_maps", {"degradation": "reference"} | SHARD)

    def seconds(*operations: dict[str, Any]) -> float:
        return degraded(*operations, survey=FINE).job(*job).seconds

    none, one = seconds(), seconds(low)
    assert seconds(low, low) - none == pytest.approx(2 * (one - none))
    study = degraded(low, survey=FINE)
    nz = redshift_distribution(specs.nz(study.study), study.study.survey.nz.paths)
    few = Costs.of(study.study, nz, list(range(12))).job(*job)
    assert few.size == study.job(*job).size / 4


def test_summed_bins_are_smaller() -> None:
    job = ("degrade_maps", {"degradation": "reference"} | SHARD)
    study, summed = degraded(), degraded({"operation": "sum_bins"})
    assert study.job(*job).size == 4 * summed.job(*job).size
    assert (
        summed.job("train_estimator", TRAINING).seconds
        < study.job("train_estimator", TRAINING).seconds
    )


def test_tiles_without_noise_are_twice_as_large() -> None:
    job = ("degrade_maps", {"degradation": "reference"} | SHARD)
    noisy, clean = costs(), costs(survey={"noise": "none"})
    assert clean.job(*job).size == 2 * noisy.job(*job).size


def test_training_runs_cost_their_steps() -> None:
    short, long = (
        costs(estimators={"cnn": {"kind": "cnn", "steps": steps}})
        for steps in (20_000, 40_000)
    )
    ratio = (
        long.job("train_estimator", TRAINING).seconds
        / short.job("train_estimator", TRAINING).seconds
    )
    assert ratio == pytest.approx(2, rel=0.1)
    half = long.job("train_reduced", TRAINING | {"budget": "steps_50"}).seconds
    whole = short.job("train_estimator", TRAINING).seconds
    assert half == pytest.approx(whole, rel=0.1)


def test_a_gpu_is_for_large_networks() -> None:
    study = costs(
        survey=FINE,
        estimators={
            "cnn": CNN(stem=8).model_dump(),
            "large": {"kind": "deeplss"},
        },
    )
    large = TRAINING | {"estimator": "large"}
    on_cpu = study.job("train_estimator", large).seconds
    assert study.on_gpu("train_estimator", large).seconds < on_cpu / 50
    # the time also includes data transfers and compilation
    assert study.on_gpu("train_estimator", TRAINING).seconds > 100


def test_inference_costs_its_bootstraps() -> None:
    few, many = (costs(posterior={"bootstraps": n}) for n in (1000, 2000))
    wildcards = {"degradation": "reference", "estimator": "cnn"}
    ratio = (
        many.job("infer_posterior", wildcards).seconds
        / few.job("infer_posterior", wildcards).seconds
    )
    assert ratio == pytest.approx(2, rel=0.1)
