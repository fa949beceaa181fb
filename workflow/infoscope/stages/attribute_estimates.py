"""Attribute the estimates of the reference's networks to parts of its tiles."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import serialization
from numpy.typing import NDArray

from infoscope.attribution import decompositions, integrated_gradients
from infoscope.attribution.decompositions import SMOOTHING_MPC_H, VALUE_EDGES, Annuli
from infoscope.attribution.integrated_gradients import Estimate
from infoscope.cosmology.config import Prior
from infoscope.estimators.config import parse_estimator
from infoscope.estimators.estimator import Estimator
from infoscope.estimators.training import (
    Bounds,
    Standardisation,
)
from infoscope.files.hdf5 import create, open_for_reading, write
from infoscope.files.precision import Maps
from infoscope.run.devices import check_gpus
from infoscope.survey.survey import Survey

logger = logging.getLogger(__name__)

Array = NDArray[np.float32]

OF_TILES = ("area", "around_pixels")  # the same for all trainings


def run(
    spec: Mapping[str, Any], dataset: Path, weights: Sequence[Path], output: Path
) -> None:
    """Write the parts of the estimates of S_8 of some test tiles, of all trainings.

    Parameters
    ----------
    spec
        `estimator`, `prior`, `survey`, as the reference leaves it, and `tiles`, how
        many are used at most.
    dataset
        Data set of the reference.
    weights
        Files weights.msgpack of its trainings, in order.
    output
        HDF5 file with parts by scale, by value and around extrema.
    """
    check_gpus()
    config = parse_estimator(spec["estimator"])
    bounds = Bounds.of_prior(Prior.model_validate(spec["prior"]))
    survey = decompositions.survey_of(spec["survey"])
    with open_for_reading(dataset) as file:
        group = file["test"]
        sky, tile = chosen_tiles(group["tiles"].shape[:2], spec["tiles"])
        maps = Maps.of(group, "tiles")
        tiles = np.array([maps[int(i), int(j)] for i, j in zip(sky, tile, strict=True)])
        columns = {name: group[name][:][sky] for name in ("theta", "sky", "cosmology")}
    logger.info("%d tiles of shape %s", len(tiles), tiles.shape[1:])
    side = tiles.shape[1]
    annuli = Annuli.of(side, survey.pixel)
    batches = np.array_split(tiles, -(-len(tiles) // config.batch_size))
    trainings = []
    for number, path in enumerate(weights):
        estimate = estimate_of(config, path, bounds)
        slope = integrated_gradients.gradient_of(estimate)
        nodes, error = integrated_gradients.enough_nodes(estimate, slope, batches[0])
        logger.info(
            "training %d: %d points along each path, parts sum to the estimate "
            "within %.1e of its scatter",
            *(number, nodes, error),
        )
        found = [
            _parts(
                x, integrated_gradients.path_gradient(slope, x, nodes), survey, annuli
            )
            | {
                "estimate": np.asarray(estimate(x)),
                "saliency": _power(np.asarray(slope(x)), annuli),
            }
            for x in batches
        ]
        joined = {
            key: np.concatenate([part[key] for part in found]) for key in found[0]
        }
        joined["saliency"] = joined["saliency"].mean(axis=0)
        joined["baseline"] = np.asarray(estimate(np.zeros_like(tiles[:1])))[0]
        joined["completeness_error"] = np.array(error)
        trainings.append(joined | {"nodes": np.array(nodes)})
    with create(output, spec) as new:
        for name in OF_TILES:
            write(new, name, trainings[0].pop(name).astype(np.float32))
        for name in trainings[0]:
            values = np.array([training[name] for training in trainings])
            write(new, name, values if name == "nodes" else values.astype(np.float32))
        for name, column in (columns | {"tile": tile}).items():
            write(new, name, column)
        write(new, "ell", annuli.ell)
        write(new, "modes", np.bincount(annuli.index.ravel()))
        write(new, "value_edges", VALUE_EDGES)
        write(new, "smoothing_mpc_h", SMOOTHING_MPC_H)
        write(new, "chi_mpc_h", survey.chi_mpc_h)
        new.attrs["pixel_arcmin"] = np.degrees(survey.pixel) * 60
        new.attrs["side"] = side


def _parts(
    tiles: Array, path: Array, survey: Survey, annuli: Annuli
) -> dict[str, NDArray]:
    """Sum the parts of the estimates of some tiles, with gradients along paths."""
    gradient = integrated_gradients.without_mean(path)
    smooth = [
        decompositions.smoothed(tiles, scale, survey, annuli)
        for scale in SMOOTHING_MPC_H
    ]
    values = [decompositions.by_value(x, gradient) for x in smooth]
    rings = decompositions.rings_of(tiles.shape[1])
    extrema = decompositions.extrema(decompositions.in_sigma(smooth[-1]), rings)
    around, pixels = decompositions.around(tiles * gradient, extrema, rings)
    return {
        "by_scale": decompositions.by_scale(tiles, gradient, annuli),
        "by_value": np.stack([sums for sums, _ in values], axis=1),
        "area": np.stack([area for _, area in values], axis=1),
        "around": around,
        "around_pixels": pixels,
    }


def _power(saliency: Array, annuli: Annuli) -> NDArray:
    return decompositions.power(integrated_gradients.without_mean(saliency), annuli)


def chosen_tiles(
    available: tuple[int, int], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose tiles of all skies, or one of each of as many as are wanted.

    Parameters
    ----------
    available
        Numbers of skies, and of tiles of each.
    most
        How many are wanted at most.

    Returns
    -------
        Numbers of the sky and of the tile of each. They are far from one another on a
        sky, and from one sky to the next they are others.
    """
    n_sky, n_tile = available
    each = min(max(1, most // n_sky), n_tile)
    skies = np.linspace(0, n_sky - 1, min(n_sky, most)).round().astype(np.int64)
    tile = skies[:, None] + np.arange(each) * n_tile // each
    return np.repeat(skies, each), (tile % n_tile).ravel()


def estimate_of(config: Estimator, weights: Path, bounds: Bounds) -> Estimate:
    """Read a network and return the S_8 that it estimates of tiles, compiled.

    Without the mean over the orientations of a tile that `training.predict` takes: it
    would take eight times as long, and parts of a mean are means of parts.
    """
    stored = serialization.msgpack_restore(weights.read_bytes())
    standardise = Standardisation(stored["input_mean"], stored["input_std"])
    network = config.network()
    low, high = map(float, (bounds.low[1], bounds.high[1]))

    @jax.jit
    def estimate(tiles: Array) -> jax.Array:
        outputs: Any = network.apply(stored["params"], standardise(tiles))
        return low + (high - low) * (outputs[0][:, 1] + 1) / 2

    return estimate
