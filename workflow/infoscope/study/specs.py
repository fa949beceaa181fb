"""The spec of each job, which is its part of the config, and digests of its code.

A spec contains exactly the settings on which a job depends, so that only missing
results are computed. It contains no paths. Digests ignore comments, docstrings and the
descriptions of config keys.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.degradations.families import family_of
from infoscope.degradations.operation import Operation
from infoscope.effects.config import dumped, effects_of, stored_effects
from infoscope.effects.effect import EFFECTS, Effect
from infoscope.maps.patches import band_limit
from infoscope.models import Model, file_of
from infoscope.study import bounds, digests
from infoscope.study.config import Study
from infoscope.survey.survey import Survey
from infoscope.vocabulary import REFERENCE, Family, Split

MAX_CONTOURS = 8  # more are hard to distinguish in one figure


def canonical(spec: dict[str, Any]) -> str:
    """Return JSON with sorted keys, in which `<` is escaped.

    Snakemake writes specs unchanged into a script in the report. A label that contains
    a tag could end this script and start another one.
    """
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def shards(study: Study, split: str) -> list[tuple[int, int]]:
    """Return the range of cosmologies, or of fiducial skies, in each shard."""
    grid = study.grid
    if split == "fiducial":
        total = grid.fiducial.skies
    else:
        total = getattr(grid, split).cosmologies
    size = grid.shard_size
    return [(start, min(start + size, total)) for start in range(0, total, size)]


def all_shards(study: Study) -> list[tuple[str, str]]:
    """Return the split and name of all shards, in order."""
    return [
        (split, f"{number:04d}")
        for split in Split
        for number in range(len(shards(study, split)))
    ]


def nz(study: Study) -> dict[str, Any]:
    """Return the spec of `tabulate_nz`."""
    return study.survey.nz.model_dump(mode="json", exclude={"file", "files"})


def nz_files(study: Study) -> list[str]:
    """Return the files from which n(z) is read."""
    return [str(path) for path in study.survey.nz.paths]


def simulate(study: Study, split: str, shard: int) -> dict[str, Any]:
    """Return the spec of `simulate_skies`."""
    start, stop = shards(study, split)[shard]
    skies = 1 if split == "fiducial" else getattr(study.grid, split).skies
    return {
        "simulator": study.simulator.model_dump(mode="json", exclude={"root"}),
        "cosmology": study.cosmology.model_dump(mode="json"),
        "nside": study.survey.nside,
        **_patch(study),
        "effects": [effect.key for effect in used_effects(study)],
        "seed": study.seed,
        "split": split,
        "start": start,
        "stop": stop,
        "skies": skies,
    }


def _patch(study: Study) -> dict[str, Any]:
    """Return the geometry of the patches."""
    patch = study.survey.patch
    return {
        "side_deg": patch.side_deg,
        "pixels": patch.pixels,
        "n_patch": patch.number,
    }


def used_effects(study: Study) -> list[type[Effect]]:
    """Return the effects with stored terms that any degradation uses."""
    active = {
        effect.key
        for degradation in study.degradations
        for effect in active_effects(study, degradation)
    }
    return [effect for effect in stored_effects() if effect.key in active]


def matter(study: Study) -> dict[str, Any]:
    """Return the spec of `tabulate_matter`."""
    # without the fiducial values, which lie in the prior
    cosmology = study.cosmology.model_dump(mode="json", exclude={"fiducial"})
    return {"cosmology": cosmology}


def index_cosmogrid(study: Study) -> dict[str, Any]:
    """Return the spec of `index_cosmogrid`."""
    return {
        "simulator": study.simulator.model_dump(mode="json", exclude={"root"}),
        "cosmology": study.cosmology.model_dump(mode="json"),
        "grid": study.grid.model_dump(mode="json", exclude={"shard_size"}),
        "nside": study.survey.nside,
        "seed": study.seed,
    }


def operations(study: Study, degradation: str) -> list[Operation]:
    """Return the operations of a degradation, those of the survey first."""
    own = study.degradations[degradation].operations
    return [*study.survey.base_operations, *own]


def operation_files(study: Study, degradation: str) -> list[Path]:
    """Return the files outside the package that define operations of a degradation."""
    used = {file_of(type(operation)) for operation in operations(study, degradation)}
    outside = (file for file in used if not file.is_relative_to(digests.PACKAGE))
    return sorted(Path(os.path.relpath(file)) for file in outside)


def imported(study: Study) -> list[dict[str, Any]]:
    """List the files with user-defined operations, for the report.

    Returns
    -------
        Name, SHA-256 of the content, and operations of each file.
    """
    files = []
    for name in study.operation_files:
        path = Path(name)
        defined = [
            operation
            for operation, model in Operation.registry.models.items()
            if file_of(model) == path.resolve()
        ]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append({"file": name, "sha256": digest, "operations": sorted(defined)})
    return files


def degrade(
    study: Study, degradation: str, split: str, patches: list[int] | None = None
) -> dict[str, Any]:
    """Return the spec of `degrade_maps`, and with split `fiducial` of `fit_constants`.

    `patches` are the indices of the patches in a mask.
    """
    survey, own = study.survey, study.degradations[degradation]
    return {
        "operations": [
            item.model_dump(mode="json") for item in operations(study, degradation)
        ],
        "noise": own.noise or survey.noise,
        "sigma_e": survey.sigma_e,
        "n_gal_arcmin2": survey.n_gal_arcmin2,
        "effects": dumped(study.effects(degradation)),
        "side_deg": survey.patch.side_deg,
        "patches": patches,
        "omega_m": study.cosmology.fiducial.omega_m,
        "h": study.cosmology.h,
        "seed": study.seed,
        "split": split,
    }


def fitted(study: Study) -> list[str]:
    """Return the degradations with operations whose constants are fitted."""
    return [
        name
        for name in study.degradations
        if any(item.needs_fit for item in operations(study, name))
    ]


def budgets(study: Study) -> list[str]:
    """Return the reduced budgets of learning curves, such as "skies_50" (per cent)."""
    grid = study.grid.train
    percents = sorted({round(100 * part) for part in study.learning_curves.fractions})
    return [
        f"{axis}_{percent}"
        for axis, whole in (("cosmologies", grid.cosmologies), ("skies", grid.skies))
        for percent in percents
        if 1 <= round(whole * percent / 100) < whole
    ] + [f"steps_{percent}" for percent in percents]


def _reduced(study: Study, estimator: str, budget: str) -> tuple[str, int]:
    """Return what a budget reduces (cosmologies, skies or steps), and its number."""
    axis, _, percent = budget.partition("_")
    whole = _full_budget(study, estimator)[axis]
    return axis, max(1, round(whole * int(percent) / 100))


def _full_budget(study: Study, estimator: str) -> dict[str, int]:
    grid = study.grid.train.model_dump(mode="json")
    return grid | {"steps": study.estimators[estimator].steps}


def train(
    study: Study, degradation: str, estimator: str, seed: int, budget: str = ""
) -> dict[str, Any]:
    """Return the spec of `train_estimator`, or with a budget of `train_reduced`."""
    training = study.training.model_dump(mode="json", exclude={"seeds"})
    chosen = study.estimators[estimator].model_dump(mode="json")
    skies = study.grid.train.model_dump(mode="json")
    if budget:
        axis, number = _reduced(study, estimator, budget)
        (chosen if axis == "steps" else skies)[axis] = number
    return {
        "estimator": chosen,
        "estimator_name": estimator,
        "degradation": degradation,
        "training": training,
        "prior": study.cosmology.prior.model_dump(mode="json"),
        "seed": seed,
        "study_seed": study.seed,
        "skies": skies,
    }


def infer(study: Study, degradation: str, estimator: str) -> dict[str, Any]:
    """Return the spec of `infer_posterior`."""
    return {
        "degradation": degradation,
        "estimator_name": estimator,
        "kind": study.estimators[estimator].kind,
        "same_as": bounds.same_inputs(study, degradation, estimator) or "",
        "prior": study.cosmology.prior.model_dump(mode="json"),
        "posterior": study.posterior.model_dump(mode="json", exclude={"equivalence"}),
        "study_seed": study.seed,
    }


def chain(study: Study) -> dict[str, Any]:
    """Return the spec of `export_chain`."""
    return {"prior": study.cosmology.prior.model_dump(mode="json")}


def learning_curves(study: Study) -> dict[str, Any]:
    """Return the spec of `measure_learning_curves`."""
    numbers = {
        name: _full_budget(study, name)
        | {budget: _reduced(study, name, budget)[1] for budget in budgets(study)}
        for name in study.estimators
    }
    return {"labels": labels(study), "numbers": numbers}


def widths(study: Study) -> dict[str, Any]:
    """Return the spec of `measure_widths`."""
    return {
        "labels": labels(study),
        "prior": study.cosmology.prior.model_dump(mode="json"),
        "equivalence": study.posterior.equivalence,
        "bounds": _bounds(study),
        "counterfactuals": bounds.counterfactuals(study),
    }


def _bounds(study: Study) -> dict[str, Any]:
    """Return the bounds on the scores of each estimator."""
    return {
        name: {
            "pairs": bounds.bounds(study, name),
            "sees_tiles": estimator.sees_tiles,
        }
        for name, estimator in study.estimators.items()
    }


def claims(study: Study) -> dict[str, Any]:
    """Return the spec of `measure_claims`."""
    return {
        "claims": [claim.model_dump(mode="json") for claim in study.claims],
        "labels": labels(study),
        "equivalence": study.posterior.equivalence,
        "bounds": _bounds(study),
    }


def summarise(study: Study, mean_z: list[float], n_tile: int) -> dict[str, Any]:
    """Return the spec of `summarise_study`.

    Parameters
    ----------
    study
        The study.
    mean_z
        Mean redshift of each bin.
    n_tile
        Number of patches per sky that are used.
    """
    survey = {"nz", "mask", "mask_fraction", "base_operations"}
    return {
        "study": study.study,
        "seed": study.seed,
        "seeds": study.training.seeds,
        "labels": labels(study),
        "estimators": {
            name: estimator.model_dump(mode="json", include={"kind", "steps"})
            for name, estimator in study.estimators.items()
        },
        "simulator": study.simulator.model_dump(mode="json", exclude={"root"}),
        "caveat": study.simulator.caveat,
        "cosmology": study.cosmology.model_dump(mode="json"),
        "survey": study.survey.model_dump(mode="json", exclude=survey | set(EFFECTS))
        | {"nz": study.survey.nz.kind},
        "grid": study.grid.model_dump(mode="json", exclude={"shard_size"}),
        "effects": {
            effect.label: effect.describe()
            for effect in effects_of(study.survey).values()
        },
        # rounded as in the report, so that it is the same on all machines
        "mean_z": [round(z, 3) for z in mean_z],
        "tiles": n_tile,
        "n_patch": study.survey.patch.number,
        "nuisance": nuisance(study),
    }


def attributed(study: Study) -> list[str]:
    """Return the estimators whose estimates are attributed: networks on tiles."""
    if not study.attribution.tiles:
        return []
    return [
        name for name, estimator in study.estimators.items() if estimator.sees_tiles
    ]


def attribute(study: Study, estimator: str, survey: Survey) -> dict[str, Any]:
    """Return the spec of `attribute_estimates`; `survey` is that of the reference."""
    return {
        "estimator": study.estimators[estimator].model_dump(mode="json"),
        "prior": study.cosmology.prior.model_dump(mode="json"),
        "survey": survey_fields(survey),
        "tiles": study.attribution.tiles,
    }


def agreement(study: Study, estimator: str, survey: Survey) -> dict[str, Any]:
    """Return the spec of `compare_attribution`; `survey` is that of the reference."""
    return {
        "estimator_name": estimator,
        "survey": survey_fields(survey),
        "operations": {
            name: [item.model_dump(mode="json") for item in beyond]
            for name in study.degradations
            if (beyond := _beyond_reference(study, name))
        },
        "labels": labels(study),
        "study_seed": study.seed,
    }


def _beyond_reference(study: Study, degradation: str) -> list[Operation]:
    """Return the operations of a degradation beyond those of the reference.

    Applied to tiles of the reference, they result in those of the degradation. The list
    is empty if there are no such operations, or if some are user-defined.
    """
    reference, own = study.degradations[REFERENCE], study.degradations[degradation]
    noise = {each.noise or study.survey.noise for each in (reference, own)}
    same_effects = study.effects(REFERENCE) == study.effects(degradation)
    first, total = operations(study, REFERENCE), operations(study, degradation)
    # operations before noise do not act on tiles that contain noise
    if len(noise) > 1 or "after" in noise or not same_effects:
        return []
    if total[: len(first)] != first or operation_files(study, degradation):
        return []
    return total[len(first) :]


def survey_fields(survey: Survey) -> dict[str, Any]:
    """Convert the fields of a survey to JSON types."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(survey).items()
    }


def forecast(study: Study) -> list[str]:
    """Return the degradations with a Gaussian forecast: those of linear operations.

    User-defined operations that define a response may turn out not to be linear.
    """
    return [
        name
        for name in study.degradations
        if all(
            type(operation).response is not Operation.response
            for operation in operations(study, name)
        )
    ]


def forecast_files(study: Study) -> list[str]:
    """Return the files outside the package with operations in the forecast."""
    used = {file for name in forecast(study) for file in operation_files(study, name)}
    return sorted(map(str, used))


def fisher(study: Study) -> dict[str, Any]:
    """Return the spec of `forecast_fisher`."""
    survey = study.survey
    return {
        "cosmology": study.cosmology.model_dump(mode="json"),
        "shell_width_mpc": study.simulator.shell_width,
        # skies end at ℓ = 2 nside, and patches where their pixels do
        "lmax": min(
            2 * survey.nside,
            band_limit(survey.nside, survey.patch.side_deg, survey.patch.pixels),
        ),
        "side_deg": survey.patch.side_deg,
        "pixels": survey.patch.pixels,
        "sigma_e": survey.sigma_e,
        "n_gal_arcmin2": survey.n_gal_arcmin2,
        # a list, because the keys of a spec are sorted
        "degradations": [
            {
                "degradation": name,
                "operations": [
                    item.model_dump(mode="json") for item in operations(study, name)
                ],
                "noise": study.degradations[name].noise or survey.noise,
                "effects": dumped(study.effects(name)),
            }
            for name in forecast(study)
        ],
    }


def filters(study: Study) -> dict[str, dict[str, Any]]:
    """Return the degradations that consist of a single filter, and its scales."""
    scales_of = {}
    for name, own in study.degradations.items():
        if own.noise is not None or effects_of(own):
            continue
        if own.families == [Family.SCALES]:
            scale = own.operations[0].model_dump(mode="json", exclude={"profile"})
            for key in ("scale_mpc_h", "ell"):
                # a band has two scales
                if isinstance(scale[key], float):
                    scale[key] = [scale[key]]
            scales_of[name] = scale
    return scales_of


def shows_scales(study: Study) -> bool:
    """Return whether there is a figure of scales, which needs at least two filters."""
    return len(filters(study)) > 1


def scales(study: Study) -> dict[str, Any]:
    """Return the spec of `tabulate_scales`."""
    return {
        "cosmology": study.cosmology.model_dump(mode="json"),
        "pixel_arcmin": study.survey.patch.pixel_arcmin,
    }


def plot_scales(study: Study) -> dict[str, Any]:
    """Return the spec of `plot_scales`."""
    return {
        "filters": filters(study),
        "equivalence": study.posterior.equivalence,
    }


def cuts(study: Study) -> list[dict[str, Any]]:
    """Return the degradations that keep ranges of the convergence, also after filters.

    Returns
    -------
        For each degradation its name and ranges; the degradation `control` that keeps
        as many random pixels of the same maps, and the degradation `uncut` that keeps
        the same maps uncut, each None if there is no such degradation.
    """
    cut_degradations = []
    controls: dict[tuple[str, str], str] = {}
    uncut: dict[str, str] = {}
    for name, own in study.degradations.items():
        spec = degrade(study, name, "fiducial")
        uncut.setdefault(canonical(spec), name)
        if not own.families or set(own.families[:-1]) - {Family.SCALES}:
            continue
        last = spec["operations"].pop()
        maps = canonical(spec)
        # ranges of κ itself have no place among those of κ / σ
        if last["operation"] == "keep_convergence" and last["by"] != "kappa":
            ranges = {key: last[key] for key in ("ranges", "by", "of")}
            cut_degradations.append((name, maps, ranges))
        elif last["operation"] == "random_mask" and last["area_of"]:
            controls[maps, canonical(last["area_of"])] = name
    return [
        {
            "degradation": name,
            "uncut": uncut.get(maps),
            "control": controls.get((maps, canonical(ranges))),
            "ranges": ranges["ranges"],
            "by": ranges["by"],
        }
        for name, maps, ranges in cut_degradations
    ]


def plot_kappa_ranges(study: Study) -> dict[str, Any]:
    """Return the spec of `plot_kappa_ranges`."""
    return {"cuts": cuts(study)}


def validate(study: Study) -> dict[str, Any]:
    """Return the spec of `validate_skies`."""
    return {
        "cosmology": study.cosmology.model_dump(mode="json"),
        "nside": study.survey.nside,
        "pixel_averaged": study.simulator.pixel_averaged,
    }


def plot(study: Study) -> dict[str, Any]:
    """Return the spec that most figures have."""
    return {
        "labels": labels(study),
        "families": families(study),
        "fiducial": study.cosmology.fiducial.model_dump(mode="json"),
    }


def plot_tiles(study: Study) -> dict[str, Any]:
    """Return the spec of `plot_tiles`."""
    return plot(study) | {"side_deg": study.survey.patch.side_deg}


def contours(study: Study) -> list[str]:
    """Return the degradations whose posteriors are drawn as contours.

    These are the reference and those in the config, by default up to MAX_CONTOURS,
    taken from the families in turn.
    """
    chosen: list[str] = list(study.figures.contours)
    if not chosen:
        members: dict[str, list[str]] = {}
        for name, family in families(study).items():
            members.setdefault(family, []).append(name)
        turns = zip_longest(*members.values())
        in_turn = [name for turn in turns for name in turn if name is not None]
        kept = [REFERENCE, *(name for name in in_turn if name != REFERENCE)]
        chosen = sorted(kept[:MAX_CONTOURS], key=list(study.degradations).index)
    return list(dict.fromkeys([REFERENCE, *chosen]))


def nuisance(study: Study) -> str:
    """Return a sentence on the treatment of nuisance parameters, if there are any."""
    fixed = study.posterior.condition_on
    free = [name for name in study.nuisance if name not in fixed]
    clauses = []
    if free:
        clauses.append("are marginalised over " + ", ".join(free))
    if fixed:
        clauses.append("assume the fiducial values of " + ", ".join(fixed))
    return f"Widths {' and '.join(clauses)}." if clauses else ""


def labels(study: Study) -> dict[str, str]:
    """Return the names of the degradations in figures."""
    return {
        name: degradation.label or name.replace("_", " ")
        for name, degradation in study.degradations.items()
    }


def families(study: Study) -> dict[str, str]:
    """Return the families of the degradations."""
    return {
        name: family_of(
            own.families,
            other_survey=own.noise is not None or bool(effects_of(own)),
        )
        for name, own in study.degradations.items()
    }


@cache
def code(stage: str) -> str:
    """Return the digest of the code that a stage runs.

    It does not include operations, estimators and simulators: `degrade_code`,
    `train_code` and `simulate_code` add those that a study uses.
    """
    return digests.digest(digests.unit(f"stages.{stage}", "run"))


@cache
def figure_code(figure: str) -> str:
    """Return the digest of the code that draws a figure."""
    own = digests.unit(f"figures.{figure}", "draw")
    return digests.digest(digests.unit("stages.plot", "run"), own)


def fisher_code(study: Study) -> str:
    """Return the digest of the code of the forecast: stage, operations and effects."""
    used = [
        model
        for name in forecast(study)
        for model in (*operations(study, name), *active_effects(study, name))
    ]
    return _code_with("forecast_fisher", map(type, used))


def active_effects(study: Study, degradation: str = REFERENCE) -> list[Effect]:
    """Return the effects of a degradation that are not switched off."""
    effects = study.effects(degradation).values()
    return [effect for effect in effects if not effect.is_off]


def _code_with(stage: str, models: Iterable[type[Model]]) -> str:
    """Return the digest of a stage together with some models of the config."""
    units = [(file_of(model), model.__name__) for model in models]
    return digests.digest(digests.unit(f"stages.{stage}", "run"), *units)


def simulate_code(study: Study) -> str:
    """Return the digest of the code of skies: simulator, effects and matter table."""
    models = [type(study.simulator), *used_effects(study)]
    return _code_with("simulate_skies", models) + code("tabulate_matter")


def degrade_code(study: Study, degradation: str) -> str:
    """Return the digest of the code of a degradation: stage, operations and effects."""
    return _code_of_maps("degrade_maps", study, degradation)


def fit_code(study: Study, degradation: str) -> str:
    """Return the digest of the code that fits the constants of a degradation."""
    return _code_of_maps("fit_constants", study, degradation)


def _code_of_maps(stage: str, study: Study, degradation: str) -> str:
    """Return the digest of a stage, with the operations and effects on its maps."""
    used = [*operations(study, degradation), *active_effects(study, degradation)]
    return _code_with(stage, map(type, used))


def train_code(study: Study, estimator: str) -> str:
    """Return the digest of the code of a training run: the stage and the estimator."""
    return _code_with("train_estimator", [type(study.estimators[estimator])])


def summarise_code() -> str:
    """Return the digest of the code and the templates of the pages of the report."""
    files = sorted((digests.PACKAGE / "report/templates").iterdir())
    templates = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    return code("summarise_study") + templates.hexdigest()[:16]


def attribute_code(study: Study, estimator: str) -> str:
    """Return the digest of the code that attributes the estimates of an estimator."""
    return _code_with("attribute_estimates", [type(study.estimators[estimator])])
