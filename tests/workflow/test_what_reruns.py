"""Only missing results are computed: jobs that run after a change."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import getdist
import h5py
import healpy
import numpy as np
import pandas as pd
import pytest

from infoscope.files.precision import Maps
from infoscope.maps.patches import centres

from ..degradations.test_own_operations import OWN
from .conftest import PARTS, Checkout

pytestmark = pytest.mark.slow

AGGREGATES = {
    "measure_widths": 1,
    "measure_claims": 1,
    "summarise_study": 1,
    "plot_widths": 1,
    "plot_triangle": 2,
    "plot_calibration": 1,
    "plot_tiles": 1,
    "plot_history": 1,
    "plot_claims": 1,
    "compare_attribution": 1,
    "plot_attribution": 1,
}
CHAIN = {
    "degrade_maps": 5,
    "collect_dataset": 1,
    "train_estimator": 2,
    "infer_posterior": 2,
    "export_chain": 2,
}


MADE = ("degrade_maps", "collect_dataset")


def changed(checkout, change) -> dict[str, Any]:
    config = copy.deepcopy(checkout.config)
    change(config)
    return config


def test_results_of_the_study(finished) -> None:
    results = finished.folder / "results/ci"
    table = pd.read_csv(results / "widths.csv")
    assert len(table) == 4 * 7
    assert set(table.degradation) == {"reference", "shuffle_pixels"}
    shown = table[table.calibration != "withheld"]
    assert (shown[["value", "error"]] > 0).all(axis=None)
    reference = shown[shown.degradation == "reference"]
    assert (reference.ratio == 1).all()
    assert len(pd.read_csv(results / "diagnostics.csv")) == 4
    claims = pd.read_csv(results / "claims.csv")
    assert list(claims.metric) == ["sigma_s8", "cost of train_estimator"]
    assert claims.ratio.between(0, 10).all()
    # two fiducial skies of 12 tiles
    assert len(pd.read_csv(results / "mocks.csv")) == 4 * 24
    columns = pd.read_csv(results / "columns.csv")
    assert set(columns.table) == {"widths.csv", "mocks.csv", "diagnostics.csv"}
    fisher = pd.read_csv(results / "fisher.csv")
    # shuffling pixels is not linear
    assert list(fisher.degradation) == ["reference"] * 2
    assert list(fisher.prior) == ["none", "box"]
    for figure in (
        "widths", "triangle_cnn", "triangle_power_spectrum", "calibration", "tiles",
        "history", "skies", "sky_map", "claims",
    ):  # fmt: skip
        assert (results / f"figures/{figure}.png").stat().st_size > 10_000


def test_skies_of_the_study_are_compared_with_theory(finished) -> None:
    results = finished.folder / "results/ci"
    pairs = pd.read_csv(results / "skies_pairs.csv")
    assert len(pairs) == 10 and (pairs.skies == 2).all()
    # two small skies, with shells that are much too thick
    assert set(pairs.verdict) <= {"agrees", "undecided", "differs"}
    assert len(pd.read_csv(results / "skies.csv")) == pairs.bands.sum()
    assert (
        "2 skies, spectra of pairs of bins"
        in (results / "logs/validate_skies.log").read_text()
    )


def test_nothing_after_a_complete_run(finished) -> None:
    assert finished.would_run() == {}


def test_workflow_snakefile_is_an_entry_point(finished) -> None:
    text = finished.snakemake("-n", "--cores", "2", "-s", "workflow/Snakefile")
    assert finished.returncode == 0 and "Nothing to be done" in text


def test_new_degradation_runs_its_chain_and_the_aggregates(finished) -> None:
    new = {"operations": [{"operation": "sum_bins"}]}
    config = changed(finished, lambda c: c["degradations"].update(sum_bins=new))
    # it is linear, and therefore has a forecast
    expected = CHAIN | AGGREGATES | {"forecast_fisher": 1}
    assert finished.would_run(config) == expected


def test_removed_degradation_runs_aggregates_only(finished) -> None:
    config = changed(finished, lambda c: c["degradations"].pop("shuffle_pixels"))
    assert finished.would_run(config) == AGGREGATES


def test_changed_label_runs_aggregates_only(finished) -> None:
    config = changed(
        finished, lambda c: c["degradations"]["shuffle_pixels"].update(label="new")
    )
    assert finished.would_run(config) == AGGREGATES


def test_changed_claims_run_their_tables_only(finished) -> None:
    config = changed(finished, lambda c: c["claims"].pop())
    pages = {"summarise_study": 1}
    drawn = {"measure_claims": 1, "plot_claims": 1}
    assert finished.would_run(config) == drawn | pages
    assert finished.would_run(changed(finished, lambda c: c.pop("claims"))) == pages


def test_deleted_benchmarks_run_nothing(finished) -> None:
    """Claims on costs read them, but benchmarks are not results."""
    folder = finished.folder / "results/ci/benchmarks"
    hidden = folder.with_name("hidden")
    folder.rename(hidden)
    try:
        assert finished.would_run() == {}
    finally:
        hidden.rename(folder)


def test_changed_parameter_runs_one_chain(finished) -> None:
    def change(config: dict[str, Any]) -> None:
        operation = config["degradations"]["shuffle_pixels"]["operations"][0]
        operation["across_bins"] = "independent"

    assert finished.would_run(changed(finished, change)) == CHAIN | AGGREGATES


def test_more_cosmologies_run_new_shards_and_what_uses_them(finished) -> None:
    def change(config: dict[str, Any]) -> None:
        config["grid"]["train"]["cosmologies"] = 16

    assert finished.would_run(changed(finished, change)) == AGGREGATES | {
        "simulate_skies": 1,
        "degrade_maps": 2,
        "collect_dataset": 2,
        "attribute_estimates": 1,
        "train_estimator": 4,
        "infer_posterior": 4,
        "export_chain": 4,
    }


def test_a_deleted_table_of_matter_is_made_when_skies_need_it(finished) -> None:
    table = finished.folder / "results/ci/matter.h5"
    hidden = table.with_suffix(".hidden")
    table.rename(hidden)
    try:
        assert finished.would_run() == {}
    finally:
        hidden.rename(table)


def test_another_cosmology_simulates_everything_again(finished) -> None:
    config = changed(finished, lambda c: c.update(cosmology={"h": 0.7}))
    jobs = finished.would_run(config)
    assert jobs["tabulate_matter"] == jobs["forecast_fisher"] == 1
    assert jobs["simulate_skies"] == 5
    assert jobs["train_estimator"] == 4


def test_more_seeds_start_new_training_runs(finished) -> None:
    config = changed(finished, lambda c: c["training"].update(seeds=2))
    expected = AGGREGATES | {
        "train_estimator": 4, "infer_posterior": 4, "export_chain": 4,
        "attribute_estimates": 1,
    }  # fmt: skip
    del expected["plot_tiles"]
    assert finished.would_run(config) == expected


def test_deleted_result_runs_itself_and_what_depends_on_it(finished) -> None:
    path = finished.folder / "results/ci/posteriors/reference/cnn.h5"
    content, hidden = path.read_bytes(), path.with_suffix(".hidden")
    path.rename(hidden)
    try:
        jobs = finished.would_run()
    finally:
        hidden.rename(path)
    assert path.read_bytes() == content
    assert jobs == {
        "infer_posterior": 1,
        "export_chain": 1,
        "measure_widths": 1,
        "measure_claims": 1,
        "summarise_study": 1,
        "plot_widths": 1,
        "plot_calibration": 1,
        "plot_triangle": 1,
        "plot_claims": 1,
        "compare_attribution": 1,
        "plot_attribution": 1,
    }


@pytest.mark.parametrize("suffix", ["1.txt", "paramnames", "ranges"])
def test_deleted_file_of_a_chain_is_noticed(finished, suffix: str) -> None:
    path = finished.folder / f"results/ci/chains/reference/cnn.{suffix}"
    hidden = path.with_name("hidden")
    path.rename(hidden)
    try:
        jobs = finished.would_run()
    finally:
        hidden.rename(path)
    assert jobs == {"export_chain": 1, "plot_triangle": 1}


def test_other_contours_run_their_figure_only(finished) -> None:
    chosen = {"contours": ["reference"]}
    config = changed(finished, lambda c: c.update(figures=chosen))
    assert finished.would_run(config) == {"plot_triangle": 2}


def test_chains_are_those_of_the_posteriors(finished) -> None:
    results = finished.folder / "results/ci"
    chain = getdist.loadMCSamples(str(results / "chains/reference/cnn"), no_cache=True)
    with h5py.File(results / "posteriors/reference/cnn.h5") as file:
        np.testing.assert_allclose(chain.samples[:, :2], file["samples"], rtol=5e-6)


PACKAGE = "workflow/infoscope"


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


def test_what_only_people_read_runs_nothing(finished, edited) -> None:
    """These are comments, docstrings, annotations, descriptions, labels and costs."""
    for name, old, new in (
        ("estimators/training.py", "WARM_UP = 0.05", "# why\nWARM_UP = 0.05"),
        ("estimators/training.py", '"""Training of ', '"""The training of '),
        ("estimators/training.py", "lower learning_rate", "reduce learning_rate"),
        ("estimators/training.py", "ETA {eta:.0f} s", "remaining {eta:.0f} s"),
        ("estimators/kinds/cnn.py", "Number of residual", "How many residual"),
        ("estimators/kinds/cnn.py", 'label = "CNN"', 'label = "Network"'),
        ("estimators/kinds/cnn.py", ", others + means", ", 2 * others + means"),
        ("degradations/operations/positions.py", "Permutes", "Shuffles"),
        ("degradations/operation.py", "no such file", "does not exist"),
        ("maps/patches.py", "(number: int)", "(number: int | float)"),
        ("eta.py", "LOG_INTERVAL = 10.0", "LOG_INTERVAL = 20.0"),
    ):
        edited(f"{PACKAGE}/{name}", replaced(old, new))
    assert finished.would_run() == {}


def test_renamed_module_runs_nothing(finished, edited) -> None:
    old, new = (
        finished.folder / PACKAGE / f"estimators/{n}.py" for n in ("layers", "blocks")
    )
    for path in (finished.folder / PACKAGE).rglob("*.py"):
        if "estimators.layers" in path.read_text():
            name = str(path.relative_to(finished.folder))
            edited(name, replaced("estimators.layers", "estimators.blocks"))
    old.rename(new)
    try:
        assert finished.would_run() == {}
    finally:
        new.rename(old)


OF_TRAINING = {
    "train_estimator": 4, "infer_posterior": 4, "export_chain": 4,
    "attribute_estimates": 1,
} | {name: n for name, n in AGGREGATES.items() if name != "plot_tiles"}  # fmt: skip
OF_ONE_ESTIMATOR = OF_TRAINING | {
    "train_estimator": 2, "infer_posterior": 2, "export_chain": 2, "plot_triangle": 1,
}  # fmt: skip
OF_OPERATION = CHAIN | AGGREGATES
OF_SPECTRA = {
    name: n for name, n in OF_ONE_ESTIMATOR.items()
    if name not in ("attribute_estimates",)
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("estimators/training.py", "CLIP_NORM = 1.0", "CLIP_NORM = 2.0", OF_TRAINING),
        ("estimators/layers.py", ") - log_det", ") - 2 * log_det", OF_TRAINING),
        ("estimators/kinds/cnn.py", "\nDENSE = 64", "\nDENSE = 32", OF_ONE_ESTIMATOR),
        ("estimators/kinds/power_spectrum.py", "range(2)", "range(3)", OF_SPECTRA),
        ("degradations/operations/positions.py", "else 1", "else 2", OF_OPERATION),
        ("theory/fisher.py", "\nSTEP = 0.04", "\nSTEP = 0.03", {
            "forecast_fisher": 1, "summarise_study": 1, "plot_widths": 1,
        }),
        ("theory/camb_spectra.py", "LIMBER_FROM = 50", "LIMBER_FROM = 60", {
            "validate_skies": 1, "summarise_study": 1, "plot_skies": 1,
        }),
        ("figures/claims.py", "GAP = 0.16, 0.12", "GAP = 0.16, 0.13", {
            "plot_claims": 1,
        }),
    ],
    ids=[
        "constant", "loss", "estimator", "network", "operation", "forecast", "theory",
        "figure",
    ],
)  # fmt: skip
def test_changed_code_runs_what_uses_it(
    finished, edited, name: str, old: str, new: str, expected: dict[str, int]
) -> None:
    edited(f"{PACKAGE}/{name}", replaced(old, new))
    assert finished.would_run() == expected


def test_changed_formula_of_skies_runs_everything_after_them(finished, edited) -> None:
    edited(
        f"{PACKAGE}/skies/shells.py", replaced("1.5 * background", "1.6 * background")
    )
    jobs = finished.would_run()
    assert jobs["simulate_skies"] == 5 and jobs["forecast_fisher"] == 1
    assert jobs["train_estimator"] == 4 and "tabulate_matter" not in jobs


def test_fresh_checkout_runs_nothing(finished) -> None:
    for part in PARTS:
        for path in [finished.folder / part, *(finished.folder / part).rglob("*")]:
            os.utime(path)
    assert finished.would_run() == {}


def test_own_operation(study) -> None:
    """Its data set is computed; an edit of its file runs only jobs that use it."""
    own = study.folder / "my operations.py"
    own.write_text(OWN)
    config = changed(study, lambda c: c.update(operation_files=[own.name]))
    own_operation = {"operations": [{"operation": "clip", "at": 0.001}]}
    config["degradations"]["own"] = own_operation
    assert study.would_run(config) == CHAIN | AGGREGATES
    target = "results/ci/datasets/own.h5"
    text = study.snakemake("--cores", "2", target, config=config)
    assert study.returncode == 0, text
    with h5py.File(study.folder / target) as file:
        tiles = Maps.of(file["train"], "tiles")[:]
    # many pixels of each tile have the same value, unlike those of noise
    highest = tiles == tiles.max(axis=(2, 3), keepdims=True)
    assert (highest.sum(axis=(2, 3)) > 3).all()
    rest = {k: v for k, v in CHAIN.items() if k not in MADE} | AGGREGATES
    assert study.would_run(config) == rest
    own.write_text("# a comment\n" + OWN)
    assert study.would_run(config) == rest
    own.write_text(OWN.replace("np.minimum", "np.fmin"))
    assert study.would_run(config) == CHAIN | AGGREGATES


def test_mask_selects_tiles_and_simulates_nothing(study) -> None:
    """The data set of a new degradation is computed, from two of twelve patches."""
    nside, half_diagonal = 64, np.radians(30)
    mask = np.zeros(12 * nside**2)
    for centre in healpy.ang2vec(*centres(12)[3:5].T):
        mask[healpy.query_disc(nside, centre, half_diagonal, nest=True)] = 1
    path = study.folder / "mask.fits"

    def change(config: dict[str, Any]) -> None:
        config["survey"]["mask"] = path.name
        config["degradations"]["masked"] = {"noise": "none"}

    config = changed(study, change)
    healpy.write_map(path, mask, nest=True, dtype=np.float32)
    jobs = study.would_run(config)
    of_all = {job: 3 * n for job, n in CHAIN.items()}
    others = {"attribute_estimates": 1, "forecast_fisher": 1}
    assert jobs == AGGREGATES | of_all | others
    target = "results/ci/datasets/masked.h5"
    text = study.snakemake("--cores", "2", target, config=config)
    assert study.returncode == 0, text
    with h5py.File(study.folder / target) as some:
        for split in ("train", "fiducial"):
            skies = study.folder / f"results/ci/skies/{split}/0000.h5"
            with h5py.File(skies) as file:
                kappa = Maps.of(file, "kappa")[:][:, :, 3:5]
            kappa -= kappa.mean(axis=(3, 4), keepdims=True)
            tiles = Maps.of(some[split], "tiles")[:]
            assert tiles == pytest.approx(np.moveaxis(kappa, 1, -1), abs=1e-7)
            assert tiles.std() > 1e-3


OF_SKIES = {
    "simulate_skies": 5, "validate_skies": 1, "plot_skies": 1, "plot_sky_map": 1,
    "attribute_estimates": 1,
} | {job: 2 * n for job, n in CHAIN.items()} | AGGREGATES  # fmt: skip


def test_first_alignment_runs_skies(finished) -> None:
    """Its terms are cut into patches only where a degradation uses them."""

    def of_one(config: dict[str, Any]) -> None:
        own = {"a_ia": {"prior": [-2, 2], "fiducial": 0}}
        config["degradations"]["shuffle_pixels"]["intrinsic_alignment"] = own

    def off(config: dict[str, Any]) -> None:
        config["degradations"]["shuffle_pixels"]["intrinsic_alignment"] = {"a_ia": 0}

    assert finished.would_run(changed(finished, of_one)) == OF_SKIES
    assert "simulate_skies" not in finished.would_run(changed(finished, off))


@pytest.mark.parametrize(
    "patch", [{"pixels": 20}, {"side_deg": 30}, {"per_sky": 6}], ids=str
)
def test_other_patches_run_skies(finished, patch: dict[str, float]) -> None:
    """Skies are stored as patches."""
    config = changed(finished, lambda c: c["survey"]["patch"].update(patch))
    # forecasts are for one patch
    forecast = {} if "per_sky" in patch else {"forecast_fisher": 1}
    assert finished.would_run(config) == OF_SKIES | forecast


SPLIT = "fiducial/0000"


def shard_of(degradation: str) -> str:
    return f"results/ci/datasets/{degradation}/{SPLIT}.h5"


@pytest.fixture(scope="module")
def fitted(
    complete: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Checkout, list[str]]:
    """Return a study with constants and an effect, and those shards that are made."""
    checkout = complete.copied(tmp_path_factory.mktemp("fitted") / "info scope")
    ranges = {"ranges": [[1, None]]}
    high, mask, shuffle = (
        {"operation": "keep_convergence"} | ranges,
        {"operation": "random_mask", "area_of": ranges},
        {"operation": "shuffle_pixels"},
    )
    checkout.config["degradations"] |= {
        "high": {"operations": [high]},
        "mask": {"operations": [mask]},
        "shuffled_mask": {"operations": [shuffle, mask]},
        "aligned": {"intrinsic_alignment": {"a_ia": 1}},
    }
    shards = [shard_of(name) for name in checkout.config["degradations"]]
    text = checkout.snakemake("--cores", "2", *shards)
    assert checkout.returncode == 0, text
    assert checkout.would_run(None, *shards) == {}
    return checkout, shards


@contextlib.contextmanager
def with_code(checkout: Checkout, old: str, new: str) -> Iterator[None]:
    """Replace code of an operation with constants."""
    path = checkout.folder / PACKAGE / "degradations/operations/values.py"
    text = path.read_text()
    path.write_text(replaced(old, new)(text))
    try:
        yield
    finally:
        path.write_text(text)


FRACTION = "inside.mean(axis=(1, 2, 3))"


def test_changed_fit_runs_what_uses_its_constants(fitted) -> None:
    """Two degradations use that of random masks, and all three that of ranges."""
    checkout, shards = fitted
    with with_code(checkout, FRACTION, f"np.sqrt({FRACTION})"):
        jobs = checkout.would_run(None, *shards)
    assert jobs == {"fit_constants": 2, "degrade_maps": 2}
    with with_code(checkout, "sigma = values.std(", "sigma = 2 * values.std("):
        jobs = checkout.would_run(None, *shards)
    assert jobs == {"fit_constants": 3, "degrade_maps": 3}
    # how pixels are replaced does not change the area of the control
    old = "self.masked(patches, self.contain("
    with with_code(checkout, old, old.replace("self.contain", "~self.contain")):
        jobs = checkout.would_run(None, *shards)
    assert jobs == {"fit_constants": 1, "degrade_maps": 1}


def test_constants_that_stay_the_same_run_nothing(fitted, tmp_path: Path) -> None:
    """A data set depends on the numbers, not on how they are found."""
    checkout, shards = fitted
    study = checkout.copied(tmp_path / "info scope")
    constants = study.folder / "results/ci/constants/mask.json"
    before = constants.read_bytes()
    for new, same in (
        ("inside.mean(axis=(3, 2, 1))", True),
        (f"np.sqrt({FRACTION})", False),
    ):
        with with_code(study, FRACTION, new):
            target = str(constants.relative_to(study.folder))
            text = study.snakemake("--cores", "1", target)
            assert study.returncode == 0 and "rule fit_constants" in text, text
            assert (constants.read_bytes() == before) == same
            jobs = study.would_run(None, shard_of("mask"))
        assert jobs == ({} if same else {"degrade_maps": 1})


def test_deleted_constants_are_noticed(fitted) -> None:
    checkout, _ = fitted
    path = checkout.folder / "results/ci/constants/mask.json"
    hidden = path.with_suffix(".hidden")
    assert "fit_constants" not in checkout.would_run()
    path.rename(hidden)
    try:
        jobs = checkout.would_run()
    finally:
        hidden.rename(path)
    assert jobs["fit_constants"] == 1


def test_other_alignment_simulates_nothing(fitted) -> None:
    """This holds for alignment of one degradation, and for sampled alignment."""
    checkout, shards = fitted

    def of_one(config: dict[str, Any]) -> None:
        own = {"a_ia": {"prior": [-2, 2], "fiducial": 0}}
        config["degradations"]["aligned"]["intrinsic_alignment"] = own

    def of_all(config: dict[str, Any]) -> None:
        config["survey"]["intrinsic_alignment"] = {"a_ia": 2, "eta_ia": 2}

    jobs = checkout.would_run(changed(checkout, of_one), *shards)
    assert jobs == {"degrade_maps": 1}
    jobs = checkout.would_run(changed(checkout, of_all), *shards)
    assert jobs == {"degrade_maps": 5, "fit_constants": 3}


def test_survey_runs_what_depends_on_it(finished) -> None:
    def survey(**keys: Any) -> dict[str, int]:
        return finished.would_run(changed(finished, lambda c: c["survey"].update(keys)))

    noise = survey(sigma_e=[0.2, 0.3, 0.4, 0.5])
    twice = {job: 2 * n for job, n in CHAIN.items()}
    first = {"forecast_fisher": 1, "attribute_estimates": 1}
    assert noise == AGGREGATES | twice | first
    assert survey(preset="kids_1000_like") == noise | {
        "tabulate_nz": 1, "simulate_skies": 5,
        "validate_skies": 1, "plot_skies": 1, "plot_sky_map": 1,
    }  # fmt: skip


def test_cores_and_resources_run_nothing(finished) -> None:
    text = finished.snakemake(
        "-n", "--cores", "7", "--set-resources", "train_estimator:mem_mb=9",
        "--set-threads", "train_estimator=2",
    )  # fmt: skip
    assert finished.returncode == 0 and "Nothing to be done" in text
