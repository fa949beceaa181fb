"""Lists of operations: order, noise, fits, pure functions and impossible operations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infoscope.degradations import Operation, Patches
from infoscope.degradations.degrade import check, degrade, fit
from infoscope.errors import InfoscopeError
from infoscope.study import config
from infoscope.vocabulary import NoiseOrder

from ..conftest import N_PATCH, PIXELS, parsed
from .examples import EXAMPLES, named

ROOT = Path(__file__).parents[2]
LOWPASS = {"operation": "lowpass", "ell": 40}
HIGH = {"operation": "keep_convergence", "ranges": [[1, None]]}
# exactly known: sets negative pixels to 0
POSITIVE = {"operation": "keep_convergence", "ranges": [[0, None]], "by": "kappa"}


def generators(seed: int = 2) -> list[np.random.Generator]:
    return [np.random.default_rng(1), np.random.default_rng(seed)]


def degraded(
    patches: Patches, *operations: dict[str, Any], noise: str = "none", seed: int = 2
) -> np.ndarray:
    chosen = [parsed(**parameters) for parameters in operations]
    constants = fit(patches, chosen, noise, *generators(seed=99))
    return degrade(patches, chosen, noise, constants, *generators(seed))


def without_mean(kappa: np.ndarray) -> np.ndarray:
    return kappa - kappa.mean(axis=(2, 3), keepdims=True)


def test_config_and_registry_have_the_same_operations() -> None:
    schema = config.Study.model_json_schema()["$defs"]
    in_schema = {k for k, v in schema.items() if "operation" in v.get("properties", {})}
    models = Operation.registry.models.values()
    assert {model.__name__ for model in models} == in_schema


def test_every_operation_is_documented_and_drawn() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    gallery = (ROOT / "config/studies/gallery.yaml").read_text()
    for name in Operation.registry:
        assert f"`{name}`" in page
        assert f"operation: {name}" in gallery


@pytest.mark.parametrize("noise", NoiseOrder)
def test_order_of_noise_mean_and_operations(patches: Patches, noise: str) -> None:
    # a mean that must not reach the operation
    patches = replace(patches, kappa=patches.kappa + 0.02)
    white = np.random.default_rng(1).standard_normal(patches.kappa.shape)
    white *= patches.survey.shape_noise[:, None, None, None]
    match noise:
        case "before":
            expected = np.maximum(without_mean(patches.kappa + white), 0)
        case "after":
            signal = np.maximum(without_mean(patches.kappa), 0)
            expected = without_mean(signal + white)
        case "none":
            expected = np.maximum(without_mean(patches.kappa), 0)
    tiles = degraded(patches, POSITIVE, noise=noise)
    assert tiles.shape == (N_PATCH, PIXELS, PIXELS, 2) and tiles.dtype == np.float32
    assert np.allclose(np.moveaxis(tiles, -1, 0), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("noise", ["before", "after"])
def test_degradations_of_a_sky_share_its_noise(patches: Patches, noise: str) -> None:
    nothing = degraded(patches, noise=noise) - degraded(patches)
    assert nothing.std(axis=(0, 1, 2)) == pytest.approx(
        patches.survey.noise_sigma, rel=0.03
    )
    if noise == "after":
        masked = degraded(patches, HIGH, noise=noise, seed=7) - degraded(patches, HIGH)
        masked -= masked.mean(axis=(1, 2), keepdims=True)
        assert np.allclose(masked, nothing, rtol=0, atol=1e-7)
    else:
        # the kept pixels have the same values
        masked = degraded(patches, HIGH, noise=noise, seed=7)
        kept = masked != 0
        assert np.array_equal(masked[kept], degraded(patches, noise=noise)[kept])


@pytest.mark.parametrize("noise", ["before", "after"])
@pytest.mark.parametrize("position", [0, 1])
def test_scaled_noise(patches: Patches, noise: str, position: int) -> None:
    select = {"operation": "select_bins", "bins": [2]}
    operations = [select]
    operations.insert(position, {"operation": "scale_noise", "factor": 0.5})
    clean = degraded(patches, select)
    half = degraded(patches, *operations, noise=noise) - clean
    full = degraded(patches, select, noise=noise) - clean
    assert np.allclose(half, 0.5 * full, rtol=0, atol=1e-7)
    operations[position]["factor"] = 0
    silent = degraded(patches, *operations, noise=noise)
    assert np.allclose(silent, clean, rtol=0, atol=1e-7)
    # factors multiply
    twice = [{"operation": "scale_noise", "factor": factor} for factor in (0.25, 2)]
    again = degraded(patches, select, *twice, noise=noise) - clean
    assert np.allclose(again, half, rtol=0, atol=1e-7)


def draws(parameters: dict[str, Any]) -> bool:
    """Return whether an operation uses random numbers."""
    names = {"random_mask", "shuffle_pixels", "randomize_phases"}
    filters = {"lowpass", "highpass", "bandpass", "bandstop"}
    resampled = parameters.get("fill") == "resample"
    return parameters["operation"] in names | filters or resampled


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: named([example]))
def test_operations_are_pure(patches: Patches, example: dict[str, Any]) -> None:
    kappa = patches.kappa.copy()
    one, again = (degraded(patches, example, noise="before") for _ in range(2))
    assert np.array_equal(patches.kappa, kappa)
    assert np.array_equal(one, again)
    assert one.dtype == np.float32 and np.isfinite(one).all()
    reference = degraded(patches, noise="before")
    assert one.shape[:3] == reference.shape[:3]
    assert one.shape != reference.shape or not np.allclose(one, reference, rtol=1e-3)
    other = degraded(patches, example, noise="before", seed=3)
    assert np.array_equal(one, other) != draws(example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: named([example]))
def test_no_operation_writes_into_its_input(patches: Patches, example) -> None:
    operation = parsed(**example)
    locked = patches.read_only()
    assert not locked.kappa.flags["W"] and patches.kappa.flags["W"]
    before = patches.kappa.copy()
    constants = operation.fit(locked) if operation.needs_fit else {}
    stored = json.dumps(constants)
    operation.apply(locked, constants, np.random.default_rng(1))
    assert np.array_equal(patches.kappa, before)
    assert json.dumps(constants) == stored


def commutes(example: dict[str, Any]) -> bool:
    name = example["operation"]
    text = " ".join((Operation.registry[name].__doc__ or "").split())
    return "Does not commute with noise" not in text and name != "scale_noise"


@pytest.mark.parametrize(
    "example", list(filter(commutes, EXAMPLES)), ids=lambda example: named([example])
)
def test_operations_documented_to_commute_with_noise(patches: Patches, example) -> None:
    """Pixels have the same covariance and spectrum with noise before or after."""
    before, after = (
        degraded(patches, example, noise=noise) for noise in ("before", "after")
    )
    n_bins = before.shape[-1]
    cov = [np.atleast_2d(np.cov(x.reshape(-1, n_bins).T)) for x in (before, after)]
    assert cov[0] == pytest.approx(cov[1], rel=0.03, abs=4e-6)
    fine = [np.diff(x, axis=1).var(axis=(0, 1, 2)) for x in (before, after)]
    assert fine[0] == pytest.approx(fine[1], rel=0.05)


def test_order_matters(patches: Patches) -> None:
    one = degraded(patches, LOWPASS, HIGH)
    assert not np.allclose(one, degraded(patches, HIGH, LOWPASS))


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"operation": "lowpass", "scale_mpc_h": 10}, "0.scale_mpc_h: 10 Mpc/h"),
        ({"operation": "highpass", "ell": 300}, "0.ell: 300 is not resolved"),
        ({"operation": "bandpass", "scale_mpc_h": [10, 90]}, "0.scale_mpc_h: 10"),
        ({"operation": "bandstop", "ell": [20, 300]}, "0.ell: 300"),
        ({"operation": "select_bins", "bins": [1, 3]}, "0.bins: there is no bin 3"),
        ({"operation": "scale_noise", "factor": 2}, "0: there is no noise to scale"),
    ],
)
def test_impossible_operation_is_refused(survey, operation, message: str) -> None:
    with pytest.raises(InfoscopeError) as caught:
        check(survey, [parsed(**operation)], "none")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_check_follows_the_bins(survey) -> None:
    summed = [{"operation": "sum_bins"}, {"operation": "select_bins", "bins": [2]}]
    with pytest.raises(InfoscopeError, match=r"^1\.bins: there is no bin 2"):
        check(survey, [parsed(**parameters) for parameters in summed], "before")


def test_values_that_are_not_finite_name_the_operation(
    patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Operation.registry["shuffle_pixels"],
        "apply",
        lambda _, patches, constants, rng: replace(
            patches, kappa=patches.kappa * np.nan
        ),
    )
    with pytest.raises(InfoscopeError, match="^shuffle_pixels: returns values"):
        degraded(patches, {"operation": "shuffle_pixels"})


def test_arrays_of_jax_are_accepted(patches: Patches, monkeypatch) -> None:
    import jax.numpy as jnp

    monkeypatch.setattr(
        Operation.registry["shuffle_pixels"],
        "apply",
        lambda _, patches, constants, rng: replace(
            patches, kappa=jnp.minimum(patches.kappa, 0.0)
        ),
    )
    tiles = degraded(patches, {"operation": "shuffle_pixels"}, POSITIVE)
    assert not tiles.any()


@pytest.mark.parametrize("noise", NoiseOrder)
def test_constants_are_fitted_to_what_the_operation_sees(
    patches: Patches, noise: str
) -> None:
    """The fit sees patches after the operations before, and noise only before them."""
    chain = [parsed(**each) for each in (POSITIVE, HIGH, LOWPASS)]
    constants = fit(patches, chain, noise, *generators())
    assert constants[0] == {"low_0": [0.0, 0.0]} and constants[2] == {}
    seen = patches.kappa
    if noise == "before":
        white = np.random.default_rng(1).standard_normal(seen.shape)
        seen = seen + white * patches.survey.shape_noise[:, None, None, None]
    seen = np.maximum(without_mean(seen), 0)
    assert constants[1] == {"low_0": pytest.approx(seen.std(axis=(1, 2, 3)), rel=1e-12)}


def test_constants_survive_their_file(patches: Patches) -> None:
    chain = [parsed(**each) for each in (LOWPASS, HIGH, {"operation": "sum_bins"})]
    constants = fit(patches, chain, "before", *generators())
    read = json.loads(json.dumps(constants))
    assert read == constants
    one, other = (
        degrade(patches, chain, "before", each, *generators())
        for each in (constants, read)
    )
    assert np.array_equal(one, other)


def test_a_fit_is_not_the_patch_itself(patches: Patches) -> None:
    """Constants of the fiducial cosmology keep the amplitude of another patch."""
    chain = [parsed(**HIGH)]
    constants = fit(patches, chain, "none", *generators())
    louder = replace(patches, kappa=1.5 * patches.kappa)
    for each, sigmas in ((patches, 1.0), (louder, 1 / 1.5)):
        kept = degrade(each, chain, "none", constants, *generators()) != 0
        threshold = sigmas * each.kappa.std(axis=(1, 2, 3), keepdims=True)
        assert np.array_equal(np.moveaxis(kept, -1, 0), each.kappa >= threshold)


def test_missing_constants_are_an_error(patches: Patches) -> None:
    peaks = {"operation": "select_peaks", "above": 1}
    for name, each in (("low_0", HIGH), ("threshold", peaks)):
        with pytest.raises(KeyError, match=name):
            degrade(patches, [parsed(**each)], "none", [{}], *generators())
