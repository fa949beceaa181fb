"""What each stage consumes: its part of the config, and a digest of its code.

A spec holds exactly what a job depends on, so that only missing results are
computed. Paths are no part of it, and neither are comments, docstrings or the
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
from infoscope.models import Model, file_of
from infoscope.study import digests
from infoscope.study.config import Study
from infoscope.survey.survey import Survey
from infoscope.vocabulary import REFERENCE, Family, Split

MOST_CONTOURS = 8  # that can be told apart in one figure


def canonical(spec: dict[str, Any]) -> str:
    """JSON with sorted keys, and without the sign that begins a tag of HTML.

    The report shows specs, and Snakemake writes them there as they are: a label could
    end the script that they are in, and begin another one.
    """
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def shards(study: Study, split: str) -> list[tuple[int, int]]:
    """First and last (exclusive) cosmology of each shard; skies for the fiducial."""
    grid = study.grid
    if split == "fiducial":
        total = grid.fiducial.skies
    else:
        total = getattr(grid, split).cosmologies
    size = grid.shard_size
    return [(start, min(start + size, total)) for start in range(0, total, size)]


def all_shards(study: Study) -> list[tuple[str, str]]:
    """Split and name of every shard, in order."""
    return [
        (split, f"{number:04d}")
        for split in Split
        for number in range(len(shards(study, split)))
    ]


def nz(study: Study) -> dict[str, Any]:
    """Spec of `tabulate_nz`."""
    return study.survey.nz.model_dump(mode="json", exclude={"file", "files"})


def nz_files(study: Study) -> list[str]:
    """Files that n(z) is read from."""
    return [str(path) for path in study.survey.nz.paths]


def simulate(study: Study, split: str, shard: int) -> dict[str, Any]:
    """Spec of `simulate_skies`."""
    start, stop = shards(study, split)[shard]
    skies = 1 if split == "fiducial" else getattr(study.grid, split).skies
    return {
        "simulator": study.simulator.model_dump(mode="json", exclude={"root"}),
        "cosmology": study.cosmology.model_dump(mode="json"),
        "nside": study.survey.nside,
        "seed": study.seed,
        "split": split,
        "start": start,
        "stop": stop,
        "skies": skies,
    }


def matter(study: Study) -> dict[str, Any]:
    """Spec of `tabulate_matter`: the mock observations lie in the prior."""
    cosmology = study.cosmology.model_dump(mode="json", exclude={"fiducial"})
    return {"cosmology": cosmology}


def index_cosmogrid(study: Study) -> dict[str, Any]:
    """Spec of `index_cosmogrid`."""
    return {
        "simulator": study.simulator.model_dump(mode="json", exclude={"root"}),
        "cosmology": study.cosmology.model_dump(mode="json"),
        "grid": study.grid.model_dump(mode="json", exclude={"shard_size"}),
        "nside": study.survey.nside,
        "seed": study.seed,
    }


def operations(study: Study, degradation: str) -> list[Operation]:
    """Operations of a degradation, those of the survey first."""
    own = study.degradations[degradation].operations
    return [*study.survey.base_operations, *own]


def operation_files(study: Study, degradation: str) -> list[Path]:
    """Files outside the package that define operations of a degradation."""
    used = {file_of(type(operation)) for operation in operations(study, degradation)}
    outside = (file for file in used if not file.is_relative_to(digests.PACKAGE))
    return sorted(Path(os.path.relpath(file)) for file in outside)


def imported(study: Study) -> list[dict[str, Any]]:
    """List the files of the user's that the study imports, for the report.

    Returns
    -------
        Name, SHA-256 of the content, and operations of each.
    """
    found = []
    for name in study.operation_files:
        path = Path(name)
        known = [
            operation
            for operation, model in Operation.registry.models.items()
            if file_of(model) == path.resolve()
        ]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append({"file": name, "sha256": digest, "operations": sorted(known)})
    return found


def degrade(
    study: Study, degradation: str, split: str, tiles: list[int] | None = None
) -> dict[str, Any]:
    """Spec of `degrade_maps`; `tiles` are those that a mask selects."""
    survey, own = study.survey, study.degradations[degradation]
    return {
        "operations": [
            item.model_dump(mode="json") for item in operations(study, degradation)
        ],
        "noise": own.noise or survey.noise,
        "sigma_e": survey.sigma_e,
        "n_gal_arcmin2": survey.n_gal_arcmin2,
        "effects": dumped(study.effects(degradation)),
        "tile_nside": survey.tile_nside,
        "tiles": tiles,
        "omega_m": study.cosmology.fiducial.omega_m,
        "h": study.cosmology.h,
        "seed": study.seed,
        "split": split,
    }


def budgets(study: Study) -> list[str]:
    """Trainings of a learning curve: what there is less of, and how many per cent."""
    grid = study.grid.train
    percents = sorted({round(100 * part) for part in study.learning_curves.fractions})
    return [
        f"{axis}_{percent}"
        for axis, whole in (("cosmologies", grid.cosmologies), ("skies", grid.skies))
        for percent in percents
        if 1 <= round(whole * percent / 100) < whole
    ] + [f"steps_{percent}" for percent in percents]


def _less(study: Study, estimator: str, budget: str) -> tuple[str, int]:
    """Say what a training has less of, and how many."""
    axis, _, percent = budget.partition("_")
    whole = _whole(study, estimator)[axis]
    return axis, max(1, round(whole * int(percent) / 100))


def _whole(study: Study, estimator: str) -> dict[str, int]:
    grid = study.grid.train.model_dump(mode="json")
    return grid | {"steps": study.estimators[estimator].steps}


def train(
    study: Study, degradation: str, estimator: str, seed: int, budget: str = ""
) -> dict[str, Any]:
    """Spec of `train_estimator`, and of `train_reduced` if there is a budget."""
    training = study.training.model_dump(mode="json", exclude={"seeds"})
    chosen = study.estimators[estimator].model_dump(mode="json")
    skies = study.grid.train.model_dump(mode="json")
    if budget:
        axis, number = _less(study, estimator, budget)
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
    """Spec of `infer_posterior`."""
    return {
        "degradation": degradation,
        "estimator_name": estimator,
        "kind": study.estimators[estimator].kind,
        "prior": study.cosmology.prior.model_dump(mode="json"),
        "posterior": study.posterior.model_dump(mode="json", exclude={"equivalence"}),
        "study_seed": study.seed,
    }


def chain(study: Study) -> dict[str, Any]:
    """Spec of `export_chain`."""
    return {"prior": study.cosmology.prior.model_dump(mode="json")}


def learning_curves(study: Study) -> dict[str, Any]:
    """Spec of `measure_learning_curves`."""
    numbers = {
        name: _whole(study, name)
        | {budget: _less(study, name, budget)[1] for budget in budgets(study)}
        for name in study.estimators
    }
    return {"labels": labels(study), "numbers": numbers}


def widths(study: Study) -> dict[str, Any]:
    """Spec of `measure_widths`."""
    return {
        "labels": labels(study),
        "prior": study.cosmology.prior.model_dump(mode="json"),
        "equivalence": study.posterior.equivalence,
    }


def claims(study: Study) -> dict[str, Any]:
    """Spec of `measure_claims`."""
    return {
        "claims": [claim.model_dump(mode="json") for claim in study.claims],
        "labels": labels(study),
        "equivalence": study.posterior.equivalence,
    }


def summarise(study: Study, mean_z: list[float], n_tile: int) -> dict[str, Any]:
    """Spec of `summarise_study`: bins and tiles are those of n(z) and of the mask."""
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
        # as many digits as are shown: the same on all machines
        "mean_z": [round(z, 3) for z in mean_z],
        "tiles": n_tile,
        "nuisance": nuisance(study),
    }


def attributed(study: Study) -> list[str]:
    """Estimators whose estimates are attributed: networks that see tiles."""
    if not study.attribution.tiles:
        return []
    return [
        name for name, estimator in study.estimators.items() if estimator.sees_tiles
    ]


def attribute(study: Study, estimator: str, survey: Survey) -> dict[str, Any]:
    """Spec of `attribute_estimates`; `survey` is that of the reference's tiles."""
    return {
        "estimator": study.estimators[estimator].model_dump(mode="json"),
        "prior": study.cosmology.prior.model_dump(mode="json"),
        "survey": survey_fields(survey),
        "tiles": study.attribution.tiles,
    }


def agreement(study: Study, estimator: str, survey: Survey) -> dict[str, Any]:
    """Spec of `compare_attribution`."""
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
    """Operations on the tiles of the reference that make those of a degradation.

    None if there are no such operations, or if they are the user's.
    """
    reference, own = study.degradations[REFERENCE], study.degradations[degradation]
    noise = {each.noise or study.survey.noise for each in (reference, own)}
    same_effects = study.effects(REFERENCE) == study.effects(degradation)
    first, every = operations(study, REFERENCE), operations(study, degradation)
    # what is degraded before there is noise is no part of tiles with noise
    if len(noise) > 1 or "after" in noise or not same_effects:
        return []
    if every[: len(first)] != first or operation_files(study, degradation):
        return []
    return every[len(first) :]


def survey_fields(survey: Survey) -> dict[str, Any]:
    """Fields of a survey, as JSON has them."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(survey).items()
    }


def fisher(study: Study) -> dict[str, Any]:
    """Spec of `forecast_fisher`."""
    survey = study.survey
    return {
        "cosmology": study.cosmology.model_dump(mode="json"),
        "shell_width_mpc": study.simulator.shell_width,
        "nside": survey.nside,
        "tile_nside": survey.tile_nside,
        "effects": dumped(effects_of(survey)),
        # when noise is added does not matter to the matrix, only whether it is
        "sigma_e": 0.0 if survey.noise == "none" else survey.sigma_e,
        "n_gal_arcmin2": survey.n_gal_arcmin2,
    }


def filters(study: Study) -> dict[str, dict[str, Any]]:
    """Degradations that are one filter, of the survey as it is, with its scales."""
    found = {}
    for name, own in study.degradations.items():
        if own.noise is not None or effects_of(own):
            continue
        if own.families == [Family.SCALES]:
            scale = own.operations[0].model_dump(mode="json", exclude={"profile"})
            for key in ("scale_mpc_h", "ell"):
                # a band has two of them
                if isinstance(scale[key], float):
                    scale[key] = [scale[key]]
            found[name] = scale
    return found


def shows_scales(study: Study) -> bool:
    """Whether there is a figure of scales: one filter alone compares with nothing."""
    return len(filters(study)) > 1


def scales(study: Study) -> dict[str, Any]:
    """Spec of `tabulate_scales`."""
    return {
        "cosmology": study.cosmology.model_dump(mode="json"),
        "nside": study.survey.nside,
    }


def plot_scales(study: Study) -> dict[str, Any]:
    """Spec of `plot_scales`."""
    return {
        "filters": filters(study),
        "equivalence": study.posterior.equivalence,
    }


def cuts(study: Study) -> list[dict[str, Any]]:
    """Degradations that keep ranges of the convergence, filters aside.

    Returns
    -------
        For each of them its name and its ranges; `control`, a degradation that keeps as
        many random pixels of the same maps, and `uncut`, one that keeps all of these
        maps, or None.
    """
    found = []
    controls: dict[tuple[str, str], str] = {}
    uncut: dict[str, str] = {}
    for name, own in study.degradations.items():
        spec = degrade(study, name, "fiducial")
        uncut.setdefault(canonical(spec), name)
        if not own.families or set(own.families[:-1]) - {Family.SCALES}:
            continue
        last = spec["operations"].pop()
        maps = canonical(spec)
        if last["operation"] == "keep_convergence":
            ranges = {key: last[key] for key in ("ranges", "by")}
            found.append((name, maps, ranges))
        elif last["operation"] == "random_mask" and last["area_of"]:
            controls[maps, canonical(last["area_of"])] = name
    return [
        {
            "degradation": name,
            "uncut": uncut.get(maps),
            "control": controls.get((maps, canonical(ranges))),
            **ranges,
        }
        for name, maps, ranges in found
    ]


def plot_kappa_ranges(study: Study) -> dict[str, Any]:
    """Spec of `plot_kappa_ranges`."""
    return {"cuts": cuts(study)}


def validate(study: Study) -> dict[str, Any]:
    """Spec of `validate_skies`."""
    return {
        "cosmology": study.cosmology.model_dump(mode="json"),
        "nside": study.survey.nside,
        "pixel_averaged": study.simulator.pixel_averaged,
    }


def plot(study: Study) -> dict[str, Any]:
    """Spec of the figures."""
    return {
        "labels": labels(study),
        "families": families(study),
        "fiducial": study.cosmology.fiducial.model_dump(mode="json"),
    }


def contours(study: Study) -> list[str]:
    """Degradations whose posteriors are drawn: the reference, and those chosen.

    If none are: up to eight, taken from the families in turn.
    """
    chosen: list[str] = list(study.figures.contours)
    if not chosen:
        members: dict[str, list[str]] = {}
        for name, family in families(study).items():
            members.setdefault(family, []).append(name)
        turns = zip_longest(*members.values())
        in_turn = [name for turn in turns for name in turn if name is not None]
        kept = [REFERENCE, *(name for name in in_turn if name != REFERENCE)]
        chosen = sorted(kept[:MOST_CONTOURS], key=list(study.degradations).index)
    return list(dict.fromkeys([REFERENCE, *chosen]))


def nuisance(study: Study) -> str:
    """Say in a sentence what becomes of the nuisance parameters, if there are any."""
    known = study.posterior.condition_on
    unknown = [name for name in study.nuisance if name not in known]
    said = []
    if unknown:
        said.append("are marginalised over " + ", ".join(unknown))
    if known:
        said.append("assume the fiducial values of " + ", ".join(known))
    return f"Widths {' and '.join(said)}." if said else ""


def labels(study: Study) -> dict[str, str]:
    """Names of the degradations in figures."""
    return {
        name: degradation.label or name.replace("_", " ")
        for name, degradation in study.degradations.items()
    }


def families(study: Study) -> dict[str, str]:
    """Families of the degradations."""
    return {
        name: family_of(
            own.families,
            other_survey=own.noise is not None or bool(effects_of(own)),
        )
        for name, own in study.degradations.items()
    }


@cache
def code(stage: str) -> str:
    """Digest of the code that a stage runs.

    Operations, estimators and simulators have digests of their own: `degrade_code`,
    `train_code` and `simulate_code` add those that are used.
    """
    return digests.digest(digests.unit(f"stages.{stage}", "run"))


@cache
def figure_code(figure: str) -> str:
    """Digest of the code that draws a figure: its own, and that of all figures."""
    own = digests.unit(f"figures.{figure}", "draw")
    return digests.digest(digests.unit("stages.plot", "run"), own)


def fisher_code(study: Study) -> str:
    """Digest of the code of the forecast: the stage and the effects."""
    return _code_with("forecast_fisher", map(type, active_effects(study)))


def active_effects(study: Study, degradation: str = REFERENCE) -> list[Effect]:
    """Effects of a degradation that are not switched off."""
    effects = study.effects(degradation).values()
    return [effect for effect in effects if not effect.is_off]


def _code_with(stage: str, models: Iterable[type[Model]]) -> str:
    """Digest of a stage and of what it does with some models of the config."""
    units = [(file_of(model), model.__name__) for model in models]
    return digests.digest(digests.unit(f"stages.{stage}", "run"), *units)


def simulate_code(study: Study) -> str:
    """Digest of the code of skies: the simulator, stored effects, and the table."""
    models = [type(study.simulator), *stored_effects()]
    return _code_with("simulate_skies", models) + code("tabulate_matter")


def degrade_code(study: Study, degradation: str) -> str:
    """Digest of the code of a degradation: the stage, its operations and effects."""
    used = [*operations(study, degradation), *active_effects(study, degradation)]
    return _code_with("degrade_maps", map(type, used))


def train_code(study: Study, estimator: str) -> str:
    """Digest of the code of a training run: the stage and the estimator."""
    return _code_with("train_estimator", [type(study.estimators[estimator])])


def summarise_code() -> str:
    """Digest of the code and the templates that write the pages of the report."""
    files = sorted((digests.PACKAGE / "report/templates").iterdir())
    templates = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    return code("summarise_study") + templates.hexdigest()[:16]


def attribute_code(study: Study, estimator: str) -> str:
    """Digest of the code that attributes estimates of an estimator."""
    return _code_with("attribute_estimates", [type(study.estimators[estimator])])
