"""Rule `train_estimator`: train one network and summarise the held-out skies."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from flax import serialization

from infoscope.cosmology.config import Prior
from infoscope.cosmology.parameters import omega_m_s8
from infoscope.errors import InfoscopeError
from infoscope.estimators.batches import Inputs
from infoscope.estimators.checkpoints import Checkpoints
from infoscope.estimators.config import TrainingConfig, parse_estimator
from infoscope.estimators.estimator import Estimator
from infoscope.estimators.stopping import final_drop
from infoscope.estimators.training import (
    Bounds,
    Result,
    predict,
    train,
)
from infoscope.files.atomic import atomic_path
from infoscope.files.hdf5 import (
    create,
    open_for_reading,
    read_nuisance,
    write,
    write_nuisance,
)
from infoscope.files.precision import Maps
from infoscope.run.devices import check_gpus
from infoscope.seeds import seed_of

if TYPE_CHECKING:
    from jaxtyping import Int
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

SUMMARISED = ("validation", "test", "fiducial")
CHECKPOINT = ".checkpoint-"


def run(spec: dict[str, Any], dataset: Path, output: Path) -> None:
    """Train a network on a degradation and compute summaries with it.

    Parameters
    ----------
    spec
        `estimator`, `estimator_name`, `training` (`evaluate_every`, `patience`),
        `prior`, `degradation`, `study_seed`, `seed` (the number of the training run),
        and `skies` (the number of `cosmologies` and of `skies` per cosmology to use).
    dataset
        Data set of the degradation.
    output
        summaries.h5. history.csv and weights.msgpack are written beside it.

    Raises
    ------
    InfoscopeError
        If the loss diverges, or if a GPU is requested but not available.
    """
    check_gpus()
    config = parse_estimator(spec["estimator"])
    bounds = Bounds.of_prior(Prior.model_validate(spec["prior"]))
    seed = seed_of(
        spec["study_seed"],
        "train",
        spec["degradation"],
        spec["estimator_name"],
        spec["seed"],
    )
    name = f"{spec['estimator_name']} on {spec['degradation']}, seed {spec['seed']}"
    with open_for_reading(dataset) as file:
        tiles = _inputs(file["train"], bounds, used_skies(file["train"], spec["skies"]))
        validation = _inputs(file["validation"], bounds)
        logger.info(
            "%s: %d training skies, %d validation skies of %d tiles of shape %s",
            name,
            len(tiles.skies),
            len(validation.skies),
            tiles.n_tile,
            tiles.shape,
        )
        checkpoints = Checkpoints(
            output.with_name(f"{CHECKPOINT}{_identity(spec, file)}")
        )
        try:
            result = train(
                config,
                TrainingConfig.model_validate(spec["training"]),
                tiles,
                validation,
                seed,
                logger.info,
                checkpoints,
            )
        except InfoscopeError as error:
            checkpoints.delete()
            raise InfoscopeError(f"{name}: {error}") from None
        logger.info("%s: best step %d (%s)", name, result.best_step, result.stopped)

        output.parent.mkdir(parents=True, exist_ok=True)
        _write_history(result, output.with_name("history.csv"))
        _write_weights(result, output.with_name("weights.msgpack"))
        with create(output, spec=spec) as summaries:
            for split in SUMMARISED:
                _summarise(file[split], summaries, split, config, result, bounds)
            summaries.attrs["train_nll"] = result.best.train_nll
            summaries.attrs["validation_nll"] = result.best.validation_nll
            summaries.attrs["validation_error"] = result.best.validation_error
            summaries.attrs["final_drop"] = final_drop(result.history, config.steps)
            summaries.attrs["best_step"] = result.best_step
            summaries.attrs["stopped"] = result.stopped
    checkpoints.delete()
    for folder in output.parent.glob(f"{CHECKPOINT}*"):
        # left by interrupted training runs with other settings
        Checkpoints(folder).delete()


def _identity(spec: dict[str, Any], dataset: h5py.File) -> str:
    """Return a digest of the spec, the code and the data of a training run."""
    digests = [dict(dataset[split].attrs) for split in ("train", "validation")]
    content = json.dumps(
        [spec, os.environ.get("INFOSCOPE_CODE", ""), digests], sort_keys=True
    )
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def used_skies(group: h5py.Group, limits: dict[str, int]) -> Int[NDArray, " n_sky"]:
    """Return the rows of the first skies of the first cosmologies.

    Parameters
    ----------
    group
        Split of a data set.
    limits
        Maximum number of `cosmologies`, and of `skies` per cosmology.
    """
    cosmology = pd.Series(group["cosmology"][:])
    realisation = cosmology.groupby(cosmology).cumcount()
    used = (cosmology < limits["cosmologies"]) & (realisation < limits["skies"])
    return np.flatnonzero(used)


def _inputs(
    group: h5py.Group, bounds: Bounds, skies: Int[NDArray, " n_sky"] | None = None
) -> Inputs:
    """Return the tiles of some or all skies and their scaled targets."""
    theta = group["theta"][:]
    rows = np.arange(len(theta)) if skies is None else skies
    return Inputs.of_maps(
        Maps.of(group, "tiles"), rows, bounds.scale(omega_m_s8(theta[rows]))
    )


def _summarise(
    group: h5py.Group,
    summaries: h5py.File,
    split: str,
    config: Estimator,
    result: Result,
    bounds: Bounds,
) -> None:
    """Write the summaries of one split, in physical units."""
    summary = bounds.unscale(predict(config, result, _inputs(group, bounds)))
    written = summaries.create_group(split)
    write(written, "summary", summary.astype(np.float32))
    for name in ("theta", "sky", "cosmology"):
        write(written, name, group[name][:])
    write_nuisance(written, read_nuisance(group))


def _write_history(result: Result, path: Path) -> None:
    with atomic_path(path) as temporary:
        pd.DataFrame([vars(evaluation) for evaluation in result.history]).to_csv(
            temporary, index=False
        )


def _write_weights(result: Result, path: Path) -> None:
    content = {
        "params": result.params,
        "input_mean": result.standardisation.mean,
        "input_std": result.standardisation.std,
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(serialization.to_bytes(content))
