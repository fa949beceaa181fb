"""Intrinsic alignment: fixed, different for one degradation, or sampled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from infoscope.cli import main
from infoscope.cosmology.nuisance import Nuisance
from infoscope.effects.effect import EFFECTS
from infoscope.effects.kinds.intrinsic_alignment import (
    PIVOT_Z,
    IntrinsicAlignment,
    expansion,
)
from infoscope.errors import InfoscopeError
from infoscope.files.hdf5 import (
    collect,
    create,
    open_for_reading,
    read_nuisance,
    write_nuisance,
)
from infoscope.files.precision import Maps
from infoscope.study import specs
from infoscope.study.config import parse_study

CI = yaml.safe_load((Path(__file__).parents[2] / "config/studies/ci.yaml").read_text())
SAMPLED = {"prior": [-4, 6], "fiducial": 1.0}
MEAN_Z = np.array([0.31, 0.94])


def with_alignment(**keys) -> dict:
    return CI | {"survey": CI["survey"] | {"intrinsic_alignment": keys}}


@pytest.mark.parametrize("eta", [-5.0, -1.0, 0.0, 2.0, 5.0])
def test_expansion_converges_to_the_power_of_the_redshift(eta: float) -> None:
    z = MEAN_Z[:, None] + np.linspace(-0.15, 0.15, 7)
    terms = np.stack([expansion(z[b], MEAN_Z)[:, b] for b in range(2)], axis=1)
    exact = 1.5 * ((1 + z) / (1 + PIVOT_Z)) ** eta
    aligned = IntrinsicAlignment(a_ia=1.5, eta_ia=eta)
    found = aligned.apply(np.zeros_like(terms[0]), terms, MEAN_Z)
    # bound of the remainder: (η ln …)³ / 3! times exp(|η ln …|)
    log = np.abs(eta * np.log((1 + z) / (1 + MEAN_Z[:, None])))
    remainder = 1.5 * log**3 / 6 * np.exp(log)
    scale = (((1 + MEAN_Z) / (1 + PIVOT_Z)) ** eta)[:, None]
    assert (np.abs(found - exact) <= remainder * scale + 1e-12).all()


def test_a_single_term_scales_with_the_mean_redshift() -> None:
    maps = np.ones((1, 2, 5))
    aligned = IntrinsicAlignment(a_ia=2.0, eta_ia=3.0)
    found = aligned.apply(np.zeros((2, 5)), maps, MEAN_Z)
    expected = 2 * ((1 + MEAN_Z) / (1 + PIVOT_Z)) ** 3
    np.testing.assert_allclose(found, np.repeat(expected[:, None], 5, 1))


def test_alignment_of_one_degradation() -> None:
    own = {"own": {"intrinsic_alignment": {"a_ia": 1.5}}}
    parsed = parse_study(CI | {"degradations": CI["degradations"] | own})
    spec = specs.degrade(parsed, "own", "test")
    assert spec["effects"] == {"intrinsic_alignment": {"a_ia": 1.5, "eta_ia": 0.0}}
    # degradations without this key are unchanged
    before = specs.degrade(parse_study(CI), "shuffle_pixels", "test")
    assert specs.degrade(parsed, "shuffle_pixels", "test") == before
    assert before["effects"] == {}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"a_ia": 7}, "a_ia: must be between -6 and 6"),
        ({"a_ia": {"prior": [-7, 6], "fiducial": 0}}, "a_ia: must be between -6 and 6"),
        ({"a_ia": {"prior": [2, 1], "fiducial": 0}}, "a_ia: must be .low, high."),
        ({"a_ia": {"prior": [1, 2], "fiducial": 0}}, "a_ia: fiducial 0 is outside"),
        ({"eta_ia": {"prior": [1, 2]}}, "eta_ia.fiducial: is missing"),
        ({"eta_ia": "strong"}, "eta_ia: Input should be a valid number"),
    ],
)
def test_impossible_alignments_are_refused(keys: dict, message: str) -> None:
    with pytest.raises(InfoscopeError, match=message) as caught:
        parse_study(with_alignment(**keys))
    assert "survey.intrinsic_alignment." in str(caught.value)
    assert "sampled" not in str(caught.value)


@pytest.mark.parametrize("name", ["eta_ia", "w_0"])
def test_posteriors_are_conditioned_on_what_varies(name: str) -> None:
    study = with_alignment(a_ia=SAMPLED) | {"posterior": {"condition_on": [name]}}
    with pytest.raises(InfoscopeError, match=f"'{name}' does not vary.*: a_ia"):
        parse_study(study)
    own = {"own": {"intrinsic_alignment": {"eta_ia": SAMPLED}}}
    if name == "eta_ia":
        parsed = parse_study(study | {"degradations": CI["degradations"] | own})
        expected = "marginalised over a_ia and assume the fiducial values of eta_ia"
        assert specs.nuisance(parsed) == f"Widths are {expected}."
        assert specs.nuisance(parse_study(CI)) == ""


@pytest.fixture(scope="module")
def skies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write eight skies of noise, with three terms of alignment."""
    path = tmp_path_factory.mktemp("skies") / "0000.h5"
    rng = np.random.default_rng(1)
    with create(path, {}) as file:
        patches = (4, 12, 16, 16)
        file["kappa"] = rng.standard_normal((8, *patches)).astype(np.float32)
        file["kappa_ia"] = rng.standard_normal((8, 3, *patches)).astype(np.float32)
        file["theta"] = np.full((8, 2), 0.5)
        file["cosmology"] = np.arange(8) // 2
        file["realisation"] = np.arange(8) % 2
        file["mean_z"] = np.array([0.3, 0.5, 0.75, 0.95])
        own = Nuisance(("h",), np.linspace(0.6, 0.8, 8)[:, None], np.array([0.7]))
        write_nuisance(file, own)
    return path


def degraded(skies: Path, output: Path, split: str, **keys) -> tuple:
    spec = specs.degrade(parse_study(with_alignment(**keys)), "reference", split)
    files = ["--skies", str(skies), "--operation-files", "--output", str(output)]
    spec |= {"noise": "none"}
    assert main(["degrade-maps", "--spec", specs.canonical(spec), *files]) == 0
    with open_for_reading(output) as file:
        return Maps.of(file, "tiles")[:], read_nuisance(file)


def test_every_sky_has_its_own_sampled_alignment(skies: Path, tmp_path: Path) -> None:
    tiles, nuisance = degraded(
        skies, tmp_path / "a.h5", "train", a_ia=SAMPLED, eta_ia=-1.5
    )
    assert nuisance.names == ("h", "a_ia")
    np.testing.assert_array_equal(nuisance.fiducial, [0.7, 1.0])
    drawn = nuisance.values[:, 1]
    assert len(set(drawn)) == 8 and (-4 < drawn).all() and (drawn < 6).all()
    # the same as with a fixed amplitude
    fixed, others = degraded(
        skies, tmp_path / "b.h5", "train", a_ia=drawn[3], eta_ia=-1.5
    )
    assert others.names == ("h",)
    np.testing.assert_allclose(tiles[3], fixed[3], atol=1e-6)
    assert not np.allclose(tiles[4], fixed[4], atol=1e-3)
    # sampling η_IA too does not change the values of A_IA
    _, both = degraded(skies, tmp_path / "c.h5", "train", a_ia=SAMPLED, eta_ia=SAMPLED)
    assert both.names == ("h", "a_ia", "eta_ia")
    np.testing.assert_array_equal(both.values[:, 1], drawn)


def test_mock_observations_have_the_fiducial_alignment(
    skies: Path, tmp_path: Path
) -> None:
    _, nuisance = degraded(skies, tmp_path / "a.h5", "fiducial", a_ia=SAMPLED)
    np.testing.assert_array_equal(nuisance.values[:, 1], np.ones(8))


def test_nuisance_parameters_stay_with_their_skies(skies: Path, tmp_path: Path) -> None:
    parts = [tmp_path / "train" / f"{i:04d}.h5" for i in range(2)]
    found = []
    for part in parts:
        part.parent.mkdir(exist_ok=True)
        found.append(degraded(skies, part, "train", a_ia=SAMPLED)[1])
    collect({"train": parts}, tmp_path / "all.h5", {})
    with open_for_reading(tmp_path / "all.h5") as file:
        joined = read_nuisance(file["train"])
    assert joined.names == ("h", "a_ia")
    expected = np.concatenate([part.values for part in found])
    np.testing.assert_array_equal(joined.values, expected)


def test_what_does_not_vary_cannot_be_conditioned_on() -> None:
    values = np.array([[0.6, 1.0], [0.8, 1.0]])
    nuisance = Nuisance(("h", "a_ia"), values, np.array([0.7, 1.0]))
    np.testing.assert_allclose(nuisance.offsets(["h"]), [[-1], [1]])
    with pytest.raises(InfoscopeError, match="condition_on: a_ia is the same"):
        nuisance.offsets(["h", "a_ia"])


def test_draws_are_uniform_over_the_prior() -> None:
    intrinsic = IntrinsicAlignment.model_validate({"a_ia": SAMPLED})
    rngs = [np.random.default_rng(i) for i in range(2000)]
    fixed = [intrinsic.drawn(rng) for rng in rngs]
    drawn = np.array([[each.a_ia, each.eta_ia] for each in fixed])
    assert (drawn[:, 1] == 0).all()
    assert drawn[:, 0].mean() == pytest.approx(1, abs=4 * 10 / 12**0.5 / 2000**0.5)
    assert drawn[:, 0].std() == pytest.approx(10 / 12**0.5, rel=0.05)


def test_only_terms_that_count_are_used() -> None:
    assert IntrinsicAlignment().n_used() == 0
    assert IntrinsicAlignment(eta_ia=2.0).n_used() == 0
    assert IntrinsicAlignment(a_ia=1.0).n_used() == 1
    assert IntrinsicAlignment(a_ia=1.0, eta_ia=2.0).n_used() == 3


def test_first_page_describes_the_alignment() -> None:
    assert IntrinsicAlignment().describe() == "none"
    sampled = IntrinsicAlignment.model_validate({"a_ia": SAMPLED, "eta_ia": 2})
    assert sampled.describe() == "NLA, A_IA from -4 to 6, η_IA 2"


def test_effects_share_no_parameter() -> None:
    from infoscope.effects.effect import Effect, FixedOrSampled

    before = dict(EFFECTS)
    with pytest.raises(ValueError, match="intrinsic_alignment also has .* a_ia"):

        class Another(Effect):
            key = "another"
            label = "another"
            a_ia: FixedOrSampled = 0.0

    assert before == EFFECTS
