"""Lists of operations: order, noise, conversions and impossible operations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infoscope.degradations import Operation, Sky
from infoscope.degradations.degrade import check, degrade
from infoscope.errors import InfoscopeError
from infoscope.maps import harmonics
from infoscope.maps.tiles import from_tiles, to_tiles
from infoscope.study import config

from ..conftest import NSIDE, parsed

ROOT = Path(__file__).parents[2]


def degraded(sky: Sky, *operations: dict, noise="none", seed: int = 2) -> np.ndarray:
    return degrade(
        sky, [parsed(**parameters) for parameters in operations], noise,
        np.random.default_rng(1), np.random.default_rng(seed),
    )  # fmt: skip


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


def test_tiles_are_a_permutation_and_neighbours_stay_neighbours() -> None:
    import healpy

    maps = np.arange(12.0 * NSIDE**2)[None]
    tiles = to_tiles(maps, 2)
    assert tiles.shape == (1, 48, NSIDE // 2, NSIDE // 2)
    assert np.array_equal(from_tiles(tiles, 2), maps)
    vectors = np.array(healpy.pix2vec(NSIDE, tiles[0].astype(int)))
    for axis in (2, 3):
        step = np.linalg.norm(np.diff(vectors, axis=axis), axis=0)
        assert step.max() < 2 * healpy.nside2resol(NSIDE)


@pytest.mark.parametrize("noise", ["before", "after", "none"])
def test_noise_order(sky: Sky, noise: config.NoiseOrder) -> None:
    lowpass = {"operation": "lowpass", "ell": 10}
    tiles = degraded(sky, lowpass, noise=noise)
    clean = degraded(sky, lowpass)
    measured = (tiles - clean).std(axis=(0, 1, 2))
    expected = sky.survey.noise_sigma
    if noise == "after":
        assert measured == pytest.approx(expected, rel=0.02)
    elif noise == "before":
        assert (measured < 0.5 * expected).all() and (measured > 0).all()
    else:
        assert (measured == 0).all()
    assert np.abs(tiles.mean(axis=(1, 2))).max() < 1e-6


@pytest.mark.parametrize("noise", ["before", "after"])
@pytest.mark.parametrize("position", [0, 1])
def test_scaled_noise(sky: Sky, noise: config.NoiseOrder, position: int) -> None:
    operations = [{"operation": "select_bins", "bins": [2]}]
    operations.insert(position, {"operation": "scale_noise", "factor": 0.5})
    clean = degraded(sky, {"operation": "select_bins", "bins": [2]})
    half = degraded(sky, *operations, noise=noise) - clean
    full = degraded(sky, operations[1 - position], noise=noise) - clean
    assert np.allclose(half, 0.5 * full, atol=1e-6)
    operations[position]["factor"] = 0
    assert np.allclose(degraded(sky, *operations, noise=noise), clean, atol=1e-6)


EXAMPLES = {
    "lowpass": {"ell": 20},
    "highpass": {"ell": 20},
    "bandpass": {"ell": [10, 40], "profile": "tophat"},
    "bandstop": {"ell": [10, 40]},
    "keep_convergence": {"ranges": [[None, -1], [0.5, None]]},
    "random_mask": {"fraction": 0.5},
    "select_peaks": {"above": 0.5},
    "select_voids": {"below": -0.5},
    "gaussianize_pixels": {},
    "shuffle_pixels": {},
    "randomize_phases": {},
    "flatten_spectrum": {},
    "sum_bins": {},
    "select_bins": {"bins": [2]},
    "scale_noise": {"factor": 0.5},
}


@pytest.mark.parametrize("name", list(Operation.registry))
def test_operations_are_pure(sky: Sky, name: str) -> None:
    operation = {"operation": name, **EXAMPLES[name]}
    maps = sky.maps.copy()
    one, again = (degraded(sky, operation, noise="before") for _ in range(2))
    assert np.array_equal(sky.maps, maps)
    assert np.array_equal(one, again)
    assert one.dtype == np.float32 and np.isfinite(one).all()
    reference = degraded(sky, noise="before")
    assert one.shape[:3] == reference.shape[:3]
    assert one.shape != reference.shape or not np.allclose(one, reference)
    drawn = not np.array_equal(one, degraded(sky, operation, noise="before", seed=3))
    assert drawn == (name in {"random_mask", "shuffle_pixels", "randomize_phases"})


def commutes(name: str) -> bool:
    text = " ".join((Operation.registry[name].__doc__ or "").split())
    return "Does not commute with noise" not in text and name != "scale_noise"


@pytest.mark.parametrize("name", list(filter(commutes, Operation.registry)))
def test_operations_documented_to_commute_with_noise(sky: Sky, name: str) -> None:
    """Pixels have the same covariance and spectrum with noise before or after."""
    operation = {"operation": name, **EXAMPLES[name]}
    before, after = (
        degraded(sky, operation, noise=noise) for noise in ("before", "after")
    )
    n_bins = before.shape[-1]
    cov = [np.atleast_2d(np.cov(x.reshape(-1, n_bins).T)) for x in (before, after)]
    assert cov[0] == pytest.approx(cov[1], rel=0.03, abs=1e-4)
    fine = [np.diff(x, axis=1).var(axis=(0, 1, 2)) for x in (before, after)]
    assert fine[0] == pytest.approx(fine[1], rel=0.03)


def test_degradations_of_a_sky_share_its_noise(sky: Sky) -> None:
    nothing = degraded(sky, noise="after")
    on_tiles = degraded(
        sky, {"operation": "random_mask", "fraction": 0.5}, noise="after"
    ) - degraded(sky, {"operation": "random_mask", "fraction": 0.5})
    assert np.allclose(nothing - degraded(sky), on_tiles, atol=1e-6)


def test_order_matters(sky: Sky) -> None:
    lowpass = {"operation": "lowpass", "ell": 10}
    keep = {"operation": "keep_convergence", "ranges": [[1, None]]}
    assert not np.allclose(degraded(sky, lowpass, keep), degraded(sky, keep, lowpass))


def test_operations_in_one_domain_share_their_transforms(
    sky: Sky, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = {"analysis": 0, "synthesis": 0}
    for name in count:
        transform = getattr(harmonics, name)

        def counting(maps, *rest, name=name, transform=transform):
            count[name] += len(maps)
            return transform(maps, *rest)

        monkeypatch.setattr(harmonics, name, counting)
    degraded(
        sky,
        {"operation": "lowpass", "ell": 40},
        {"operation": "highpass", "ell": 5},
        {"operation": "flatten_spectrum"},
        {"operation": "sum_bins"},
    )
    assert count == {"analysis": 2, "synthesis": 1}
    count.update(analysis=0, synthesis=0)
    conversions = []
    for name in ("to_tiles", "from_tiles"):
        convert = globals()[name]
        monkeypatch.setattr(
            f"infoscope.degradations.sky.{name}",
            lambda *a, name=name, convert=convert: (
                conversions.append(name) or convert(*a)
            ),
        )
    keep = {"operation": "keep_convergence", "ranges": [[1, None]]}
    degraded(sky, {"operation": "shuffle_pixels"}, keep, {"operation": "sum_bins"})
    assert count == {"analysis": 0, "synthesis": 0} and conversions == ["to_tiles"]


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"operation": "lowpass", "scale_mpc_h": 20}, "0.scale_mpc_h: 20 Mpc/h"),
        ({"operation": "highpass", "ell": 200}, "0.ell: 200 is not resolved"),
        ({"operation": "bandpass", "scale_mpc_h": [20, 90]}, "0.scale_mpc_h: 20"),
        ({"operation": "bandstop", "ell": [20, 200]}, "0.ell: 200"),
        ({"operation": "select_bins", "bins": [1, 3]}, "0.bins: there is no bin 3"),
        ({"operation": "scale_noise", "factor": 2}, "0: there is no noise to scale"),
    ],
)
def test_impossible_operation_is_refused(survey, operation, message: str) -> None:
    with pytest.raises(InfoscopeError) as caught:
        check(survey, [parsed(**operation)], "none")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_smallest_scale_that_is_named_is_accepted(survey) -> None:
    with pytest.raises(InfoscopeError) as caught:
        check(survey, [parsed(operation="lowpass", scale_mpc_h=5)], "before")
    smallest = float(str(caught.value).split()[-1])
    # at the nearer bin: a pixel of nside 32 is 1.83 degrees, ⟨z⟩ = 0.3 at 836.1 Mpc/h
    assert smallest == pytest.approx(np.deg2rad(1.8323) * 836.1, abs=0.1)
    check(survey, [parsed(operation="lowpass", scale_mpc_h=smallest)], "before")
    with pytest.raises(InfoscopeError):
        parameters = parsed(operation="lowpass", scale_mpc_h=0.99 * smallest)
        check(survey, [parameters], "before")


def test_check_follows_the_bins(survey) -> None:
    summed = [{"operation": "sum_bins"}, {"operation": "select_bins", "bins": [2]}]
    with pytest.raises(InfoscopeError, match=r"^1\.bins: there is no bin 2"):
        check(survey, [parsed(**parameters) for parameters in summed], "before")


def test_values_that_are_not_finite_name_the_operation(
    sky: Sky, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(
        Operation.registry["shuffle_pixels"],
        "apply",
        lambda _, sky, rng: replace(sky, maps=sky.maps * np.nan),
    )
    with pytest.raises(InfoscopeError, match="^shuffle_pixels: returns values"):
        degraded(sky, {"operation": "shuffle_pixels"})
