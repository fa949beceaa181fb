"""The message of any error in a config is one line that names the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from infoscope.errors import InfoscopeError
from infoscope.study import specs
from infoscope.study.checks import check_study
from infoscope.study.config import Study, SurveyConfig, parse_study
from infoscope.survey.redshifts import redshift_distribution
from infoscope.survey.survey import RedshiftDistribution

ROOT = Path(__file__).parents[2]


SMAIL = {"kind": "smail", "z0": 0.13, "beta": 0.78, "sigma_z": 0.05}


def good(**changes: Any) -> dict[str, Any]:
    return {"study": "x", "degradations": {"reference": {"operations": []}}} | changes


def nz_of(study: Study) -> RedshiftDistribution:
    files = [ROOT / path for path in specs.nz_files(study)]
    return redshift_distribution(specs.nz(study), files)


def with_operation(**operation: Any) -> dict[str, Any]:
    return good(
        degradations={
            "reference": {"operations": []},
            "new": {"operations": [operation]},
        }
    )


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (good(sed=1), "sed"),
        (good(seed="many"), "seed"),
        (good(study="../x"), "study"),
        (good(degradations={}), "degradations"),
        (good(degradations={"lowpass": {"operations": []}}), "reference"),
        (good(degradations={"reference": {}, "../x": {}}), "../x"),
        (good(survey={"nside": 100}), "survey.nside"),
        (good(survey={"nside": 16, "tile_nside": 32}), "tile_nside: unknown key"),
        (good(survey={"patch": {"side": 5}}), "survey.patch.side: unknown key"),
        (good(survey={"patch": {"side_deg": 1.9}}), "survey.patch.side_deg: Input"),
        (good(survey={"patch": {"side_deg": 41}}), "survey.patch.side_deg: Input"),
        (good(survey={"patch": {"pixels": 4}}), "survey.patch.pixels: Input"),
        (good(survey={"patch": {"per_sky": 0}}), "survey.patch.per_sky: Input"),
        (
            good(survey={"patch": {"per_sky": 49}}),
            "survey.patch: per_sky: 49 patches of 29.3° have more area than the sky; "
            "choose at most 48",
        ),
        (
            good(survey={"patch": {"pixels": 64}}),
            "patch.pixels: pixels of 27.5 arcmin are smaller than half of those of the "
            "skies, 55 arcmin at nside 64; choose at most 63, or nside 128",
        ),
        (
            good(survey={"patch": {"pixels": 30}}),
            "estimators.cnn.stem: must divide the tile side 30",
        ),
        (
            good(survey={"patch": {"pixels": 36}}),
            "estimators.cnn.blocks: tiles of 36 pixels can be halved 0 times after the "
            "stem; choose survey.patch.pixels that are a power of two",
        ),
        (
            good(survey={"nside": 128, "patch": {"pixels": 72}}),
            "can be halved 1 times after the stem; choose at most 1 blocks, or",
        ),
        (
            good(survey={"patch": {"pixels": 8}}),
            "estimators.power_spectrum.n_ell: must be at most 4",
        ),
        (good(survey={"noise": "during"}), "survey.noise"),
        (
            good(survey={"preset": "euclid"}),
            "survey.preset: Input should be 'des_y3_like', 'kids_1000_like' or "
            "'lsst_y1_like'",
        ),
        (good(survey={"nz": {"kind": "magic"}}), "survey.nz: unknown kind 'magic'"),
        (good(survey={"nz": {"files": ["x"]}}), "survey.nz: the key `kind` is missing"),
        (good(survey={"nz": {"kind": "table", "files": []}}), "survey.nz.files"),
        (
            good(survey={"nz": SMAIL | {"edges": [1, 0.5]}}),
            "survey.nz: edges: must increase, got [1.0, 0.5]",
        ),
        (good(survey={"nz": SMAIL}), "survey.nz: give either n_bins or edges"),
        (
            good(survey={"nz": SMAIL | {"n_bins": 2, "edges": [0, 1]}}),
            "survey.nz: give either n_bins or edges",
        ),
        (good(survey={"nz": SMAIL | {"n_bins": 0}}), "survey.nz.n_bins"),
        (good(survey={"sigma_e": -1}), "survey.sigma_e: "),
        (good(survey={"sigma_e": [0.3, 0]}), "survey.sigma_e.1: "),
        (good(survey={"n_gal_arcmin2": []}), "survey.n_gal_arcmin2: "),
        (good(survey={"n_gal_arcmin2": "many"}), "survey.n_gal_arcmin2: "),
        (good(survey={"mask_fraction": 0}), "survey.mask_fraction"),
        (good(cosmology={"prior": {"omega_m": [0.4, 0.2]}}), "prior.omega_m"),
        (good(cosmology={"fiducial": {"omega_m": 0.9}}), "fiducial.omega_m"),
        (good(simulator={"name": "magic"}), "simulator"),
        (good(simulator={"name": "nbody", "n_mesh": 65}), "simulator.n_mesh"),
        (good(simulator={"name": "nbody", "n_particles": 512}), "simulator: n_mesh"),
        (good(estimators={"cnn": {"kind": "cnn", "stem": 5}}), "estimators.cnn.stem"),
        (with_operation(operation="blur"), "degradations.new.operations.0"),
        (with_operation(operation="lowpass"), "degradations.new.operations.0"),
        (
            with_operation(operation="lowpass", scale_mpc_h=-3),
            "degradations.new.operations.0.scale_mpc_h",
        ),
        (
            with_operation(operation="lowpass", scale_mpc=3),
            "degradations.new.operations.0",
        ),
        (
            with_operation(operation="bandpass", scale_mpc_h=[9, 3]),
            "degradations.new.operations.0",
        ),
        (
            with_operation(operation="keep_convergence", ranges=[[2, 1]]),
            "degradations.new.operations.0: ranges",
        ),
        (
            with_operation(
                operation="keep_convergence", ranges=[[0.5, 2]], by="quantile"
            ),
            "degradations.new.operations.0: ranges",
        ),
        (
            with_operation(operation="keep_convergence", ranges=[]),
            "degradations.new.operations.0.ranges",
        ),
        (
            with_operation(operation="random_mask", fraction=1.5),
            "degradations.new.operations.0.fraction",
        ),
        (
            with_operation(operation="random_mask", area_of={"ranges": [[1, 1]]}),
            "degradations.new.operations.0.area_of: ranges: [1.0, 1.0] is empty",
        ),
        (with_operation(operation="random_mask"), "either fraction or area_of"),
        (
            with_operation(
                operation="keep_convergence", ranges=[[0, 1]], by="kappa", of="tile"
            ),
            "operations.0: of: has no meaning for ranges of κ itself; remove it",
        ),
        (
            with_operation(operation="keep_convergence", ranges=[[0, 1]], of="sky"),
            "operations.0.of: Input should be 'fiducial' or 'tile'",
        ),
        (
            with_operation(operation="random_mask", fraction=0.5, fill="noise"),
            "operations.0.fill",
        ),
        (
            with_operation(operation="select_peaks", rings=17),
            "operations.0.rings: Input should be less than or equal to 16",
        ),
        (with_operation(operation="select_bins", bins=[1, 1]), "bin twice"),
        (
            with_operation(operation="flatten_spectrum", template=[[9, 1], [3, 1]]),
            "degradations.new.operations.0.template: must have increasing",
        ),
        (with_operation(operation="scale_noise", factor=-1), "operations.0.factor"),
        (with_operation(scale_mpc_h=3), "the key `operation` is missing"),
        (
            good(learning_curves={"degradations": ["other"]}),
            "learning_curves.degradations: 'other' is not a degradation",
        ),
        (
            good(figures={"contours": ["reference", "other"]}),
            "figures.contours: 'other' is not a degradation",
        ),
        # rounded to a per cent, this is the full budget
        (
            good(learning_curves={"fractions": [0.5, 0.996]}),
            "learning_curves.fractions",
        ),
        (good(learning_curves={"fractions": []}), "learning_curves.fractions"),
        ({"study": "x"}, "degradations: is missing"),
    ],
)
def test_mistake_is_one_line_that_names_the_key(
    config: dict[str, Any], named: str
) -> None:
    with pytest.raises(InfoscopeError) as caught:
        parse_study(config)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_number_in_exponent_notation() -> None:
    config = yaml.safe_load("{kind: cnn, learning_rate: 1e-3}")
    study = parse_study(good(estimators={"cnn": config}))
    assert study.estimators["cnn"].learning_rate == 1e-3


@pytest.mark.parametrize(
    "path", [ROOT / "config/config.yaml", *sorted(ROOT.glob("config/studies/*.yaml"))]
)
def test_shipped_studies_are_valid(path: Path) -> None:
    study = parse_study(yaml.safe_load(path.read_text()))
    nz = nz_of(study)
    if study.simulator.name == "cosmogrid":
        # the folder of the maps is a placeholder
        with pytest.raises(InfoscopeError, match="simulator.root: /path/to/"):
            check_study(study, nz)
        here = {"root": str(ROOT)}
        simulator = study.simulator.model_copy(update=here)
        study = study.model_copy(update={"simulator": simulator})
    check_study(study, nz)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            good(
                simulator={"name": "lognormal", "shell_width_mpc": 900},
                survey={"nz": SMAIL | {"edges": [0.01, 0.05], "sigma_z": 0.01}},
            ),
            "config: simulator.shell_width_mpc: 900 Mpc is more than 1 / 4 of the 603 "
            "Mpc to the last galaxies; choose at most 151",
        ),
        (
            with_operation(operation="lowpass", scale_mpc_h=4),
            "config: degradations.new.operations.0.scale_mpc_h: 4 Mpc/h is not "
            "resolved by the pixels in any bin; choose at least 13.8",
        ),
        (
            with_operation(operation="select_bins", bins=[5]),
            "config: degradations.new.operations.0.bins: there is no bin 5; choose "
            "from [1, 2, 3, 4]",
        ),
        (
            good(survey={"base_operations": [{"operation": "lowpass", "ell": 500}]}),
            "config: survey.base_operations.0.ell: 500 is not resolved by the "
            "pixels in any bin; choose at most 196",
        ),
        (
            good(simulator={"name": "nbody", "box_size_mpc_h": 64}),
            "config: simulator.box_size_mpc_h: 64 Mpc/h is less than a shell, 67.36 "
            "Mpc/h; reduce simulator.shell_width_mpc or enlarge the box",
        ),
        (
            with_operation(operation="bandpass", scale_mpc_h=[40, 200])
            | {"simulator": {"name": "nbody", "box_size_mpc_h": 128}},
            "config: degradations.new.operations.0.scale_mpc_h: 200 Mpc/h does not "
            "fit into the box; enlarge simulator.box_size_mpc_h, now 128",
        ),
        (
            with_operation(operation="lowpass", scale_mpc_h=15)
            | {"simulator": {"name": "nbody", "n_particles": 32}},
            "config: degradations.new.operations.0.scale_mpc_h: 15 Mpc/h is less than "
            "the distance between particles, 16 Mpc/h; increase simulator.n_particles",
        ),
        (
            good(survey={"n_gal_arcmin2": [1, 2, 3]}),
            "config: survey.n_gal_arcmin2: has 3 numbers, but n(z) has 4 bins; give "
            "one number per bin, or one for all bins",
        ),
        (
            good(survey={"preset": "kids_1000_like", "sigma_e": [0.3, 0.3]}),
            "config: survey.sigma_e: has 2 numbers, but n(z) has 5 bins; give one "
            "number per bin, or one for all bins",
        ),
        (
            with_operation(operation="scale_noise", factor=2)
            | {"survey": {"noise": "none"}},
            "config: degradations.new.operations.0: there is no noise to scale "
            "(noise: none); remove the operation",
        ),
    ],
)
def test_impossible_for_the_survey(changes: dict[str, Any], message: str) -> None:
    study = parse_study(changes)
    with pytest.raises(InfoscopeError) as caught:
        check_study(study, nz_of(study))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("patch", "number", "pixel_arcmin"),
    [
        ({}, 48, 60 * 29.3 / 32),
        ({"side_deg": 5, "pixels": 8}, 1650, 37.5),
        ({"side_deg": 5, "pixels": 8, "per_sky": 36}, 36, 37.5),
        ({"side_deg": 40, "pixels": 80}, 25, 30),
        ({"side_deg": 2, "pixels": 8, "per_sky": 1}, 1, 15),
    ],
)
def test_patches_of_a_sky(
    patch: dict[str, Any], number: int, pixel_arcmin: float
) -> None:
    survey = SurveyConfig.model_validate({"nside": 128, "patch": patch})
    assert survey.patch.number == number
    assert survey.patch.pixel_arcmin == pytest.approx(pixel_arcmin)
    assert number * survey.patch.side_deg**2 <= 4 * 180**2 / 3.14159


def test_schema_is_generated_from_the_models() -> None:
    stored = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text())
    assert stored == Study.model_json_schema(), "run `make docs`"


def test_reference_documentation_is_generated_from_the_models() -> None:
    from infoscope.study.document_config import markdown

    assert (ROOT / "config/README.md").read_text() == markdown(), "run `make docs`"
