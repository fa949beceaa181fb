"""Rule `attribute_estimates`: parts of the estimates of the reference's networks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from flax import serialization

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

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Int
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

OF_TILES = ("area", "around_pixels")  # the same for all training runs


def run(
    spec: Mapping[str, Any], dataset: Path, weights: Sequence[Path], output: Path
) -> None:
    """Attribute estimates of S_8 to parts of test tiles, for all training runs.

    Parameters
    ----------
    spec
        `estimator`, `prior`, `survey` (after the operations of the reference), and
        `tiles`, the maximum number of tiles.
    dataset
        Data set of the reference.
    weights
        Files weights.msgpack of the training runs, in the order of seeds.
    output
        HDF5 file with parts by scale, by value and around extrema.

    Raises
    ------
    InfoscopeError
        If a GPU is requested but not available.
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
    training_runs = []
    for number, path in enumerate(weights):
        estimate = estimate_of(config, path, bounds)
        slope = integrated_gradients.gradient_of(estimate)
        nodes, error = integrated_gradients.enough_nodes(estimate, slope, batches[0])
        logger.info(
            "training run %d: %d points along each path; the sum of the parts differs "
            "from the estimate by %.1e of its scatter",
            *(number, nodes, error),
        )
        parts = [
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
            key: np.concatenate([part[key] for part in parts]) for key in parts[0]
        }
        joined["saliency"] = joined["saliency"].mean(axis=0)
        joined["baseline"] = np.asarray(estimate(np.zeros_like(tiles[:1])))[0]
        joined["completeness_error"] = np.array(error)
        training_runs.append(joined | {"nodes": np.array(nodes)})
    with create(output, spec) as file:
        for name in OF_TILES:
            write(file, name, training_runs[0].pop(name).astype(np.float32))
        for name in training_runs[0]:
            values = np.array([training_run[name] for training_run in training_runs])
            write(file, name, values if name == "nodes" else values.astype(np.float32))
        for name, column in (columns | {"tile": tile}).items():
            write(file, name, column)
        write(file, "ell", annuli.ell)
        write(file, "modes", np.bincount(annuli.index.ravel()))
        write(file, "value_edges", VALUE_EDGES)
        write(file, "smoothing_mpc_h", SMOOTHING_MPC_H)
        write(file, "chi_mpc_h", survey.chi_mpc_h)
        file.attrs["pixel_arcmin"] = np.degrees(survey.pixel) * 60
        file.attrs["side"] = side


def _parts(
    tiles: Float32[NDArray, "n side side n_bins"],
    path_gradient: Float32[NDArray, "n side side n_bins"],
    survey: Survey,
    annuli: Annuli,
) -> dict[str, Float[NDArray, "n ..."]]:
    """Compute the parts of the estimates from gradients averaged along the paths."""
    gradient = integrated_gradients.without_mean(path_gradient)
    smooth = [
        decompositions.smoothed(tiles, scale, survey) for scale in SMOOTHING_MPC_H
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


def _power(
    saliency: Float32[NDArray, "n side side n_bins"], annuli: Annuli
) -> Float[NDArray, "n n_bins n_ell"]:
    return decompositions.power(integrated_gradients.without_mean(saliency), annuli)


def chosen_tiles(
    available: tuple[int, int], n_max: int
) -> tuple[Int[NDArray, " n"], Int[NDArray, " n"]]:
    """Choose the tiles whose estimates are attributed.

    The same number of tiles is chosen in all skies, or one tile in some skies if there
    are more skies than tiles to choose. Tiles of a sky are far from one another, and
    differ from those of the next sky.

    Parameters
    ----------
    available
        Number of skies, and number of tiles per sky.
    n_max
        Maximum number of tiles.

    Returns
    -------
    sky, tile
        Index of the sky, and index of the tile in the sky, of each chosen tile.
    """
    n_sky, n_tile = available
    n_per_sky = min(max(1, n_max // n_sky), n_tile)
    skies = np.linspace(0, n_sky - 1, min(n_sky, n_max)).round().astype(np.int64)
    tile = skies[:, None] + np.arange(n_per_sky) * n_tile // n_per_sky
    return np.repeat(skies, n_per_sky), (tile % n_tile).ravel()


def estimate_of(config: Estimator, weights: Path, bounds: Bounds) -> Estimate:
    """Read a network and return a compiled function that estimates S_8 from tiles.

    Unlike `training.predict`, the function does not average over the orientations of a
    tile. The average would take eight times as long, and the parts of an average are
    the averages of the parts.
    """
    stored = serialization.msgpack_restore(weights.read_bytes())
    standardise = Standardisation(stored["input_mean"], stored["input_std"])
    network = config.network()
    low, high = map(float, (bounds.low[1], bounds.high[1]))

    @jax.jit
    def estimate(
        tiles: Float32[NDArray, "n side side n_bins"],
    ) -> Float32[jax.Array, " n"]:
        outputs: Any = network.apply(stored["params"], standardise(tiles))
        return low + (high - low) * (outputs[0][:, 1] + 1) / 2

    return estimate
