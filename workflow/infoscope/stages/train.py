"""Train one estimator on one degradation and summarise the held-out skies."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from flax import serialization
from numpy.typing import NDArray
from pydantic import TypeAdapter

from infoscope.config import Estimator, Prior, TrainingConfig
from infoscope.cosmology import omega_m_s8
from infoscope.datasets import atomic_path, create, open_for_reading
from infoscope.errors import InfoscopeError
from infoscope.seeds import seed_of
from infoscope.training import (
    Bounds,
    EstimatorConfig,
    Result,
    predict,
    train,
)

logger = logging.getLogger(__name__)

SUMMARISED = ("validation", "test", "fiducial")


def run(spec: dict[str, Any], dataset: Path, output: Path) -> None:
    """Write summaries.h5, and history.csv and weights.msgpack beside it.

    Parameters
    ----------
    spec
        `estimator`, `estimator_name`, `training` (`evaluate_every`, `patience`),
        `prior`, `degradation`, `study_seed`, and `seed`, the number of the training.
    dataset
        Dataset of the degradation.
    output
        summaries.h5.

    Raises
    ------
    InfoscopeError
        If the loss is not finite.
    """
    config: EstimatorConfig = TypeAdapter[EstimatorConfig](Estimator).validate_python(
        spec["estimator"]
    )
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
        train_x, train_target = _read(file["train"], bounds)
        validation_x, validation_target = _read(file["validation"], bounds)
        logger.info(
            "%s: %d training tiles, %d validation tiles of shape %s",
            name,
            len(train_x),
            len(validation_x),
            train_x.shape[1:],
        )
        try:
            result = train(
                config,
                TrainingConfig.model_validate(spec["training"]),
                train_x,
                train_target,
                validation_x,
                validation_target,
                seed,
                logger.info,
            )
        except InfoscopeError as error:
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
            summaries.attrs["best_step"] = result.best_step
            summaries.attrs["stopped"] = result.stopped


def _read(
    group: h5py.Group, bounds: Bounds
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Tiles (n_sky · n_tile, side, side, n_bins) and their scaled targets."""
    tiles = group["tiles"][:]
    target = bounds.scale(omega_m_s8(group["theta"][:]))
    return tiles.reshape(-1, *tiles.shape[2:]), target.repeat(tiles.shape[1], axis=0)


def _summarise(
    group: h5py.Group,
    summaries: h5py.File,
    split: str,
    config: EstimatorConfig,
    result: Result,
    bounds: Bounds,
) -> None:
    """Write the summaries of one split, in physical units."""
    tiles = group["tiles"][:]
    mean = predict(config, result, tiles.reshape(-1, *tiles.shape[2:]))
    summary = bounds.unscale(mean).reshape(*tiles.shape[:2], 2)
    written = summaries.create_group(split)
    written["summary"] = summary.astype(np.float32)
    for name in ("theta", "sky", "cosmology"):
        written[name] = group[name][:]


def _write_history(result: Result, path: Path) -> None:
    with atomic_path(path) as temporary:
        pd.DataFrame([vars(look) for look in result.history]).to_csv(
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
