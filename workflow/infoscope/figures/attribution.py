"""Figure of attribution beside ablation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator, NullLocator

from infoscope.attribution.agreement import FEWEST
from infoscope.figures.style import colorblind, styled
from infoscope.vocabulary import OrderAgreement, TrainingVerdict

RESPONSE, ABLATION, PEAKS, VOIDS = (colorblind(4)[i] for i in (0, 1, 3, 2))
GUIDE: dict[str, Any] = {"color": "0.5", "ls": "--", "lw": 0.8, "zorder": 0}
OTHER: dict[str, Any] = {"color": "0.45", "ls": ":", "lw": 1.2}
WIDTH, ABOVE, ROW = 7.2, 2.5, 0.25  # inches


@styled
def draw(
    spec: Mapping[str, Any], shares: pd.DataFrame, agreement: pd.DataFrame
) -> Figure:
    """Plot the parts of the response of an estimate, beside ablation.

    Parameters
    ----------
    spec
        Not used.
    shares
        Rows of shares.csv.
    agreement
        Rows of agreement.csv; there may be none.

    Returns
    -------
        Above, shares of the response by scale and by value, and the response per pixel
        by distance from peaks and voids, divided by the mean over all pixels. Below, a
        row for each degradation that keeps a part of the tiles: the share of the
        response that it keeps, and the share of the information that a new network
        finds in it. Hollow squares are networks that are not fully trained.
    """
    below = 0.35 if agreement.empty else 1.3 + ROW * len(agreement)
    figure = Figure(figsize=(WIDTH, ABOVE + below), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[ABOVE, below], hspace=0.02)
    axes = parts[0].subplots(1, 3, width_ratios=[1.15, 1, 1])
    _draw_scales(axes[0], shares[shares["part"] == "scale"])
    _draw_values(axes[1], shares[shares["part"] == "value"])
    _draw_extrema(axes[2], shares)
    for letter, ax in zip("abc", axes, strict=True):
        ax.set_title(letter, loc="left", weight="bold")
    _draw_agreement(parts[1], agreement)
    return figure


def _draw_scales(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw the share of the response of each octave of scale."""
    edges = [*rows["low"], rows["high"].iloc[-1]]
    middle = np.sqrt(rows["low"] * rows["high"])
    ax.stairs(rows["share"], edges, color=RESPONSE, fill=True, alpha=0.25, lw=0)
    ax.errorbar(
        middle, rows["share"], rows["share_error"], fmt="o", ms=3.5, color=RESPONSE,
        elinewidth=1.1, label="Response",
    )  # fmt: skip
    ax.stairs(rows["saliency"], edges, baseline=None, label="Saliency", **OTHER)
    ax.axhline(0, color="0.5", lw=0.6)
    ax.set(xscale="log", xlabel="Scale R  [Mpc/h]", ylabel="Share of an octave")
    ax.set_xlim(edges[0], edges[-1])
    ticks = [edge for edge in edges if edge >= 1][:: 2 if len(edges) > 7 else 1]
    ax.xaxis.set(
        major_locator=FixedLocator(ticks), minor_locator=NullLocator(),
        major_formatter=FuncFormatter(lambda value, _: f"{value:g}"),
    )  # fmt: skip
    _leave_space(ax)
    ax.legend(loc="upper right", handlelength=1.4, fontsize=7, borderaxespad=0)


def _draw_values(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw the share of the response of values of the smoothed tile."""
    smoothing = rows["smoothing_mpc_h"].max()
    part = rows[(rows["smoothing_mpc_h"] == smoothing) & np.isfinite(rows["low"])]
    part = part[np.isfinite(part["high"])]
    edges = [*part["low"], part["high"].iloc[-1]]
    ax.stairs(part["share"], edges, color=RESPONSE, fill=True, alpha=0.25, lw=0)
    ax.errorbar(
        (part["low"] + part["high"]) / 2, part["share"], part["share_error"], fmt="o",
        ms=2, color=RESPONSE, elinewidth=0.9, label="Response",
    )  # fmt: skip
    ax.stairs(part["area"], edges, baseline=None, label="Pixels", **OTHER)
    ax.axhline(0, color="0.5", lw=0.6)
    ax.set(xlim=(edges[0], edges[-1]), ylabel="Share of a quarter σ")
    ax.set_xlabel(f"κ / σ, smoothed with {smoothing:g} Mpc/h")
    ax.xaxis.set_major_locator(MultipleLocator(2))
    _leave_space(ax)
    ax.legend(loc="upper right", handlelength=1.4, fontsize=7, borderaxespad=0)


def _draw_extrema(ax: Axes, shares: pd.DataFrame) -> None:
    """Draw the response per pixel against the distance from extrema."""
    for name, label, marker, colour in (
        ("peak", "Peaks > 2 σ", "^", PEAKS),
        ("void", "Voids < −2 σ", "v", VOIDS),
    ):
        rows = shares[shares["part"] == name]
        distance = np.where(rows["low"] == 0, 0, (rows["low"] + rows["high"]) / 2)
        ax.errorbar(
            distance, rows["relative"], rows["relative_error"], fmt=f"{marker}-", ms=4,
            color=colour, lw=1, elinewidth=1.1, label=label,
        )  # fmt: skip
    ax.axhline(1, **GUIDE)
    ax.set(xlabel="Distance  [arcmin]", ylabel="Response per pixel / mean")
    _leave_space(ax)
    ax.legend(loc="upper right", handlelength=1.4, fontsize=7, borderaxespad=0)


def _leave_space(ax: Axes) -> None:
    """Leave space for a legend at the top."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.25 * (high - low))


def _draw_agreement(figure: Any, rows: pd.DataFrame) -> None:
    """Draw the shares of response and information that degradations keep."""
    figure.suptitle(verdict(rows), fontsize=9)
    if rows.empty:
        return
    ax: Axes = figure.subplots()
    ax.set_title("d", loc="left", weight="bold")
    rows = rows.sort_values("share", ignore_index=True)
    place = np.arange(len(rows))
    for row in range(0, len(rows), 2):
        ax.axhspan(row - 0.5, row + 0.5, color="0.96", lw=0, zorder=0)
    for x, kw in ((0, {"color": "0.7", "lw": 0.6, "zorder": 0}), (1, GUIDE)):
        ax.axvline(x, **kw)
    for column, offset, marker, colour in (
        ("share", 0.16, "o", RESPONSE),
        ("information", -0.16, "s", ABLATION),
    ):
        ax.errorbar(
            rows[column], place + offset, xerr=rows[f"{column}_error"], fmt=marker,
            color=colour, mec="white", mew=0.5, elinewidth=1.2, capsize=2,
        )  # fmt: skip
    hollow = rows["training_verdict"] != TrainingVerdict.TRAINED
    ax.plot(
        rows["information"][hollow], place[hollow] - 0.16, "s", color=ABLATION,
        mfc="white", mew=1.2, ms=4.5, zorder=3,
    )  # fmt: skip
    ax.set_yticks(place, rows["label"])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.5, len(rows) - 0.5)
    ax.set_xlabel("Share that is kept")
    handles = [
        Line2D([], [], ls="none", marker=marker, color=colour, label=label)
        for marker, colour, label in (
            ("o", RESPONSE, "Attribution: of the response"),
            ("s", ABLATION, "Ablation: of the information, (σ$_{\\mathrm{ref}}$/σ)²"),
        )
    ]
    if hollow.any():
        handles.append(
            Line2D(
                [], [], ls="none", marker="s", color=ABLATION, mfc="white", mew=1.2,
                label="Not fully trained",
            )
        )  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def verdict(rows: pd.DataFrame) -> str:
    """State in words whether attribution and ablation agree."""
    if rows.empty:
        return "Not compared: no degradation with a width keeps a part of the tiles"
    first = rows.iloc[0]
    n = len(rows)
    if np.isnan(first["correlation"]):
        why = f"fewer than {FEWEST} degradations" if n < FEWEST else "no response"
        return f"Attribution and ablation: undecided ({why})"
    numbers = (
        f"Rank correlation {first['correlation']:.2f}, 95 % interval "
        f"{first['correlation_low']:.2f} to {first['correlation_high']:.2f}, "
        f"by chance below {first['by_chance']:.2f}"
    ).replace("-", "−")
    verdict = {
        OrderAgreement.AGREE: "Attribution and ablation agree on the order",
        OrderAgreement.DISAGREE: "Attribution and ablation disagree on the order",
    }.get(first["agreement"], "Whether attribution and ablation agree is undecided")
    different = int((rows["difference_sigma"].abs() > 2).sum())
    return f"{verdict}\n{numbers}; {different} of {n} shares differ by more than 2 σ"
