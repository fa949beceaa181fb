"""Rule `compare_attribution`: shares of the response of the reference's networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from infoscope.attribution.agreement import Agreement, information_left
from infoscope.attribution.decompositions import survey_of
from infoscope.attribution.kept import Profiles
from infoscope.attribution.responses import Regression
from infoscope.degradations.config import AnyOperation
from infoscope.files.atomic import atomic_path
from infoscope.files.hdf5 import open_for_reading
from infoscope.files.tables import read_table
from infoscope.seeds import seed_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

Operations = TypeAdapter(list[AnyOperation])

METRIC = "sigma_s8"


def run(spec: Mapping[str, Any], attribution: Path, widths: Path, output: Path) -> None:
    """Tabulate shares of the response, and compare them with ablation.

    Parameters
    ----------
    spec
        `estimator_name`, `survey` (after the operations of the reference),
        `operations` beyond those of the reference by degradation, `labels` by
        degradation, and `study_seed`.
    attribution
        Output of `attribute_estimates`.
    widths
        widths.csv.
    output
        shares.csv, the shares of parts of the tiles. agreement.csv, with the shares
        that degradations keep, is written beside it.
    """
    seed = seed_of(spec["study_seed"], "attribution", spec["estimator_name"])
    with open_for_reading(attribution) as file:
        regression = Regression(file["theta"][:], file["cosmology"][:], seed)
        estimate = file["estimate"][:].astype(float)
        profiles = Profiles(
            ell=file["ell"][:],
            by_scale=file["by_scale"][:].astype(float),
            by_value=file["by_value"][:].astype(float),
            area=file["area"][:].astype(float),
        )
        tables = [
            _of_scales(file, profiles, regression, estimate),
            _of_bins(file, profiles, regression, estimate),
            *_of_values(file, profiles, regression, estimate),
            *_around(file, regression, estimate),
        ]
    compared = _compared(spec, profiles, regression, estimate, read_table(widths), seed)
    for path, table in (
        (output, pd.concat(tables)),
        (output.with_name("agreement.csv"), compared),
    ):
        with atomic_path(path) as temporary:
            table.to_csv(temporary, index=False)


def _rows(
    regression: Regression,
    estimate: Float[NDArray, "n_training n"],
    parts: Float[NDArray, "n_training n n_part"],
    area: Float[NDArray, " n_part"],
    **columns: Any,
) -> pd.DataFrame:
    """Tabulate the shares of parts, with `area` as the expected share of each."""
    shares = regression.shares(parts, estimate)
    positive_area = np.where(area > 0, area, np.nan)
    return pd.DataFrame(
        columns
        | {
            "share": shares.value,
            "share_error": shares.error,
            "area": area,
            "relative": shares.value / positive_area,
            "relative_error": shares.error / positive_area,
        }
    )


def _of_scales(
    file: h5py.File,
    profiles: Profiles,
    regression: Regression,
    estimate: Float[NDArray, "n_training n"],
) -> pd.DataFrame:
    """Tabulate octaves of scale, where R = π χ / ℓ in each bin."""
    # without ℓ = 0, the mean
    ell, chi = profiles.ell[1:], file["chi_mpc_h"][:]
    scale = np.pi * chi[:, None] / ell
    octave = np.floor(np.log2(scale)).astype(int)
    low = np.arange(octave.min(), octave.max() + 1)
    # (octave, bin, annulus)
    in_octave = (octave == low[:, None, None]).astype(float)
    parts = np.einsum("tnbl,obl->tno", profiles.by_scale[..., 1:], in_octave)
    modes = file["modes"][1:]
    area = np.einsum("l,obl->o", modes, in_octave)
    saliency = np.einsum("tbl,obl->to", file["saliency"][:][..., 1:], in_octave)
    return _rows(
        regression, estimate, parts, area / area.sum(),
        part="scale", smoothing_mpc_h=0.0, low=2.0**low, high=2.0 ** (low + 1),
        saliency=_mean_share(saliency),
    )  # fmt: skip


def _mean_share(
    power: Float[NDArray, "n_training n_part"],
) -> Float[NDArray, " n_part"]:
    """Return the share of each part in the total power, averaged over runs."""
    total = power.sum(axis=1, keepdims=True)
    mean: Float[NDArray, " n_part"] = (power / np.where(total > 0, total, np.nan)).mean(
        axis=0
    )
    return mean


def _of_bins(
    file: h5py.File,
    profiles: Profiles,
    regression: Regression,
    estimate: Float[NDArray, "n_training n"],
) -> pd.DataFrame:
    """Tabulate redshift bins."""
    parts = profiles.by_scale.sum(axis=3)
    number = np.arange(1, parts.shape[2] + 1)
    return _rows(
        regression, estimate, parts, np.full(len(number), 1 / len(number)),
        part="bin", smoothing_mpc_h=0.0, low=number, high=number,
        saliency=_mean_share(file["saliency"][:].sum(axis=2)),
    )  # fmt: skip


def _of_values(
    file: h5py.File,
    profiles: Profiles,
    regression: Regression,
    estimate: Float[NDArray, "n_training n"],
) -> list[pd.DataFrame]:
    """Tabulate intervals of pixel values, for each smoothing scale."""
    edges = file["value_edges"][:]
    return [
        _rows(
            regression, estimate, profiles.by_value[:, :, number],
            profiles.area[:, number].mean(axis=0),
            part="value", smoothing_mpc_h=smoothing, low=edges[:-1], high=edges[1:],
            saliency=np.nan,
        )
        for number, smoothing in enumerate(file["smoothing_mpc_h"][:])
    ]  # fmt: skip


def _around(
    file: h5py.File,
    regression: Regression,
    estimate: Float[NDArray, "n_training n"],
) -> list[pd.DataFrame]:
    """Tabulate distances from peaks and from voids."""
    arcmin = file.attrs["pixel_arcmin"]
    n_pixels = file.attrs["side"] ** 2 * len(file["chi_mpc_h"])
    ring = np.arange(file["around"].shape[-1])
    return [
        _rows(
            regression, estimate, file["around"][:, :, kind].astype(float),
            file["around_pixels"][:, kind].mean(axis=0) / n_pixels,
            part=name, smoothing_mpc_h=file["smoothing_mpc_h"][-1],
            low=np.maximum(ring - 0.5, 0) * arcmin, high=(ring + 0.5) * arcmin,
            saliency=np.nan,
        )
        for kind, name in enumerate(("peak", "void"))
    ]  # fmt: skip


def _compared(
    spec: Mapping[str, Any],
    profiles: Profiles,
    regression: Regression,
    estimate: Float[NDArray, "n_training n"],
    widths: pd.DataFrame,
    seed: int,
) -> pd.DataFrame:
    """Tabulate the degradations that keep a part of the tiles and have a width."""
    of_estimator = widths[
        (widths["estimator"] == spec["estimator_name"]) & (widths["metric"] == METRIC)
    ].set_index("degradation")
    survey = survey_of(spec["survey"])
    names, kept = [], []
    for name, operations in spec["operations"].items():
        part = profiles.kept(Operations.validate_python(operations), survey)
        if part is not None and np.isfinite(of_estimator["ratio"].get(name, np.nan)):
            names.append(name)
            kept.append(part)
    # the shape is explicit because there may be no such degradation
    parts = np.array(kept).reshape(-1, *estimate.shape)
    shares = regression.shares(np.moveaxis(parts, 0, -1), estimate)
    ratio, error = (
        of_estimator.loc[names, key].to_numpy() for key in ("ratio", "ratio_error")
    )
    information, information_error = information_left(ratio, error)
    agreement = Agreement.of(
        shares.value, information, information_error, shares.resampled, seed
    )
    return pd.DataFrame(
        {
            "degradation": names,
            "label": [spec["labels"][name] for name in names],
            "share": shares.value,
            "share_error": shares.error,
            "ratio": ratio,
            "ratio_error": error,
            "information": information,
            "information_error": information_error,
            "difference_sigma": (shares.value - information)
            / np.hypot(shares.error, information_error),
            "training_verdict": of_estimator.loc[names, "training_verdict"].to_numpy(),
            "correlation": agreement.correlation,
            "correlation_low": agreement.low,
            "correlation_high": agreement.high,
            "by_chance": agreement.by_chance,
            "agreement": agreement.verdict,
        }
    )
