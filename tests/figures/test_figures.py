"""Figures of synthetic results."""

from dataclasses import replace
from pathlib import Path

import h5py
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from infoscope.errors import InfoscopeError
from infoscope.figures import calibration, history, learning_curves
from infoscope.figures.calibration import plot_calibration
from infoscope.figures.markers import family_colour
from infoscope.figures.tiles import Example, plot_tiles
from infoscope.figures.triangle import (
    Chain,
    line_styles,
    plot_triangle,
    read_chain,
)
from infoscope.inference import getdist_chains as chains
from infoscope.maps import harmonics
from infoscope.maps.patches import cut
from infoscope.stages import plot
from infoscope.vocabulary import Family

LABELS = {
    "reference": "Reference",
    "lowpass_10": "Low-pass 10 Mpc/h",
    "lowpass_30": "Low-pass 30 Mpc/h",
    "highpass_10": "High-pass 10 Mpc/h",
    "no_peaks": "Without peaks (κ < 2σ)",
    "no_voids": "Without voids (κ > −1σ)",
    "shuffled": "Shuffled pixels, shared by all bins",
    "phases": "Random phases",
}
ESTIMATORS = ("cnn", "power_spectrum")
FAMILIES = {
    "reference": "reference",
    "lowpass_10": "scales",
    "lowpass_30": "scales",
    "highpass_10": "scales",
    "no_peaks": "values",
    "no_voids": "values",
    "shuffled": "positions",
    "phases": "statistics",
}
FIDUCIAL = {"omega_m": 0.2915, "sigma_8": 0.7835}
SPEC = {"labels": LABELS, "families": FAMILIES, "fiducial": FIDUCIAL}
TRUTH = {"omega_m": 0.2915, "sigma_8": 0.7835, "s_8": 0.7723}


def curves_table(degradations: int) -> pd.DataFrame:
    whole = {"cosmologies": 128, "skies": 4, "steps": 3000}
    rows = [
        {
            "label": label, "estimator": estimator, "axis": axis,
            "number": round(fraction * number) * (1 + (axis == "steps") * j),
            "sigma_s8": (0.05 + 0.01 * i) * (1 + 0.1 / fraction) * (1 + j / 5),
            "sigma_s8_error": 0.002,
            "calibration": "calibrated",
        }
        for i, label in enumerate(list(LABELS.values())[:degradations])
        for j, estimator in enumerate(ESTIMATORS)
        for axis, number in whole.items()
        # the training with all comes last in learning_curves.csv, but not here
        for fraction in (1, 0.25, 0.5)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def write_chain(
    folder: Path, name: str, width: float, calibration: str = "calibrated"
) -> Path:
    """Chain that is narrow in S_8 and wide in Ω_m."""
    root = folder / "chains" / name / "cnn"
    root.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    omega_m = rng.normal(0.2915, 0.06, 8000)
    sigma_8 = rng.normal(0.772, width, 8000) / np.sqrt(np.abs(omega_m) / 0.3)
    samples = np.stack([omega_m, sigma_8], axis=1)
    inside = np.all((samples > (0.15, 0.5)) & (samples < (0.45, 1.2)), axis=1)
    prior = {"omega_m": (0.15, 0.45), "sigma_8": (0.5, 1.2)}
    root.with_suffix(".paramnames").write_text(chains.names())
    root.with_suffix(".ranges").write_text(chains.ranges(prior))
    path = root.with_suffix(chains.SUFFIX)
    path.write_text(chains.chain(samples[inside], calibration))
    return path


def read_chains(paths: list[Path]) -> list[Chain]:
    return [read_chain(SPEC, path) for path in paths]


def write_example(folder: Path, name: str, index: int) -> Path:
    path = folder / "examples" / f"{name}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    tiles = np.random.default_rng(3).normal(0, 0.01, (3, 32, 32))
    with h5py.File(path, "w") as file:
        file["tiles"] = (tiles / (1 + 0.3 * index)).astype("f4")
    return path


def write_history(folder: Path, name: str, estimator: str, seed: int) -> Path:
    path = folder / "training" / name / estimator / f"seed_{seed}" / "history.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    step = np.arange(250, 3001, 250)
    train = 2 * np.exp(-step / 600) - 3.0 - 2e-4 * step + 0.03 * seed
    pd.DataFrame(
        {
            "step": step,
            "learning_rate": 1e-3,
            "train_nll": train,
            "validation_nll": train + 0.1 + 4e-4 * np.maximum(step - 1500, 0),
        }
    ).to_csv(path, index=False)
    return path


def written(output: Path) -> bool:
    return (
        output.read_bytes().startswith(b"\x89PNG")
        and output.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        and len(list(output.parent.glob(f"*{output.stem}*"))) == 2
    )


def triangle(drawn: list[Chain]) -> Figure:
    return plot_triangle(drawn, "cnn", TRUTH)


def test_triangle_has_a_panel_for_each_parameter_and_pair(tmp_path):
    names = ("reference", "lowpass_10", "phases")
    drawn = read_chains([write_chain(tmp_path, name, 0.03) for name in names])
    figure = triangle(drawn)
    assert len(figure.axes) == 6
    bottom = [ax.get_xlabel() for ax in figure.axes if ax.get_xlabel()]
    left = [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()]
    assert bottom == [r"$\Omega_m$", r"$\sigma_8$", "$S_8$"]
    assert sorted(left) == ["$S_8$", r"$\sigma_8$"]
    pairs = [ax for ax in figure.axes if ax.collections]
    assert len(pairs) == 3
    lines = line_styles([FAMILIES[name] for name in names])
    reference, *others = (to_rgb(line["color"]) for line in lines)
    for ax in pairs:
        drawn_colours = [to_rgb(lines.get_edgecolor()[0]) for lines in ax.collections]
        assert drawn_colours == [reference, *others]
        # one region each, in one piece
        assert [len(lines.get_paths()) for lines in ax.collections] == [1, 1, 1]
    assert reference == to_rgb("black") and len({reference, *others}) == 3
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "CNN"
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["Reference", "Low-pass 10 Mpc/h", "Random phases", "Truth"]
    # axes end at the prior
    assert figure.axes[0].get_xlim() == pytest.approx((0.15, 0.45))


def test_truth_is_in_every_panel(tmp_path):
    figure = triangle(read_chains([write_chain(tmp_path, "reference", 0.03)]))
    for ax in figure.axes:
        across = {
            round(line.get_xdata()[0], 6) for line in ax.lines
            if len(set(line.get_xdata())) == 1
        }  # fmt: skip
        (parameter,) = across
        assert parameter in [round(value, 6) for value in TRUTH.values()]


def test_calibration_is_said(tmp_path):
    calibrations = ("corrected", "withheld", "calibrated")
    paths = [
        write_chain(tmp_path, name, 0.03, calibration)
        for name, calibration in zip(list(LABELS)[:3], calibrations, strict=True)
    ]
    figure = triangle(read_chains(paths))
    (legend,) = figure.legends
    labels = [text.get_text().replace("\n", " ") for text in legend.get_texts()]
    assert labels == [
        "Reference (corrected)",
        "Low-pass 10 Mpc/h: withheld (miscalibrated)",
        "Low-pass 30 Mpc/h",
        "Truth",
    ]
    assert [line.get_linestyle() for line in legend.get_lines()][1] == "None"
    assert {len(ax.collections) for ax in figure.axes} == {0, 2}


def test_all_withheld_is_a_legend(tmp_path):
    paths = [write_chain(tmp_path, name, 0.03, "withheld") for name in list(LABELS)[:2]]
    figure = triangle(read_chains(paths))
    assert not figure.axes and len(figure.legends[0].get_texts()) == 3


def test_long_legend_is_beside_the_triangle(tmp_path):
    (chain,) = read_chains([write_chain(tmp_path, "reference", 0.03)])
    many = [chain] + [replace(chain, degradation=f"other_{i}") for i in range(60)]
    figure = triangle(many)
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    panels = [ax.get_window_extent() for ax in figure.axes]
    assert legend.x0 > max(panel.x1 for panel in panels)
    assert legend.y0 > 0 and legend.x1 < figure.bbox.x1


def test_lines_have_the_colour_of_the_family_and_are_distinct():
    of_family = [family for family in Family for _ in range(8)]
    lines = line_styles(of_family)
    assert len({(line["color"], str(line["ls"]), line["lw"]) for line in lines}) == 80
    assert lines[0]["lw"] > max(line["lw"] for line in lines[1:])
    for i, family in enumerate(Family):
        assert lines[8 * i]["color"] == family_colour(family)


def write_posterior(folder: Path, name: str, estimator: str, verdict: str) -> Path:
    path = folder / name / f"{estimator}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    level = np.arange(1, 100) / 100
    shape = (3, 99, 7)
    with h5py.File(path, "w") as file:
        file["level"] = level
        file["coverage"] = np.broadcast_to(level[:, None] + 0.01, shape)
        file["coverage_error"] = np.full(shape, 0.02)
        file["ranks"] = np.full((3, 20, 3), 1.1)
        file.attrs["degradation"], file.attrs["estimator"] = name, estimator
        file.attrs["calibration"] = verdict
    return path


def test_run_calibration_has_two_panels_for_each_posterior(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        calibration, "plot_calibration", lambda all: drawn.extend(all) or Figure()
    )
    verdicts = {"reference": "calibrated", "lowpass_10": "corrected"}
    paths = [
        write_posterior(tmp_path, name, estimator, verdict)
        for name, verdict in verdicts.items()
        for estimator in ESTIMATORS
    ]
    output = tmp_path / "figures/calibration.png"
    plot.run(SPEC, "calibration", {"posteriors": paths}, output)
    assert written(output)
    monkeypatch.undo()
    figure = plot_calibration(drawn)
    figure.draw_without_rendering()
    assert len(figure.axes) == 2 * 2 * 2
    titles = [ax.get_title(loc="left") for ax in figure.axes[::2]]
    labels = ["Reference", "Low-pass 10 Mpc/h (corrected)"]
    assert titles == [label for label in labels for _ in ESTIMATORS]
    coverage, ranks = figure.axes[:2]
    curves = [line for line in coverage.lines if len(line.get_xdata()) == 99]
    assert len(curves) == 4
    np.testing.assert_allclose(curves[0].get_ydata(), 0.01)
    assert len(ranks.patches) == 3


@pytest.mark.parametrize("degradations", [1, 3])
def test_learning_curves_have_a_line_for_each_estimator(degradations):
    table = curves_table(degradations)
    figure = learning_curves.draw({}, table)
    figure.draw_without_rendering()
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "Training cosmologies", "Skies of each cosmology", "Gradient steps",
    ]  # fmt: skip
    for ax, axis in zip(figure.axes, ("cosmologies", "skies", "steps"), strict=True):
        assert len(ax.containers) == 2 * degradations
        x, y = ax.containers[0][0].get_data()
        expected = table[(table["axis"] == axis) & (table.estimator == "cnn")][:3]
        assert list(x) == sorted(expected.number)
        assert list(y) == sorted(expected.sigma_s8, reverse=True)
        ticks = [tick.get_text() for tick in ax.get_xticklabels()]
        numbers = sorted(set(table.number[table["axis"] == axis]))
        assert ticks == [str(number) for number in numbers]
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert len(names) == 2 * degradations
    assert names[0] == ("CNN" if degradations == 1 else "CNN · Reference")


def test_learning_curves_without_skies_have_two_panels():
    table = curves_table(1)
    figure = learning_curves.draw({}, table[table["axis"] != "skies"])
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert labels == ["Training cosmologies", "Gradient steps"]


def test_tiles_share_one_colour_scale_in_units_of_sigma():
    rng = np.random.default_rng(1)
    examples = [
        Example(label, FAMILIES[name], rng.normal(0, 0.01 * (1 + i), (3, 16, 16)), 5)
        for i, (name, label) in enumerate(LABELS.items())
    ]
    figure = plot_tiles(examples)
    images = [ax.images[0] for ax in figure.axes if ax.images]
    assert len(images) == len(LABELS)
    assert {image.get_clim() for image in images} == {(-3, 3)}
    for image, example in zip(images, examples, strict=True):
        shown = np.asarray(image.get_array()) * example.tiles.std()
        np.testing.assert_allclose(shown, example.tiles[0])


def test_spectrum_beside_a_tile_has_the_multipoles_of_the_sphere():
    nside, ell = 64, 60
    lmax = 3 * nside - 1
    alm = np.zeros((1, len(harmonics.ell_of_alm(lmax))), complex)
    inside = harmonics.ell_of_alm(lmax) == ell
    alm[0, inside] = np.random.default_rng(1).standard_normal(inside.sum())
    tiles = cut(harmonics.synthesis(alm, nside), 29.3, 32, 48)[0]
    found, power = Example("", "reference", tiles, 29.3).spectrum()
    assert found[power.argmax()] == pytest.approx(ell, rel=0.15)
    # white noise: C_ℓ = σ² A_pix at every ℓ
    white = np.random.default_rng(2).standard_normal((48, 32, 32))
    _, power = Example("", "reference", white, 5).spectrum()
    np.testing.assert_allclose(power, np.radians(5 / 32) ** 2, rtol=0.1)


def test_tiles_of_nothing():
    with pytest.raises(InfoscopeError, match="no tiles"):
        plot_tiles([])


def test_style_does_not_leak():
    before = dict(mpl.rcParams)
    learning_curves.draw({}, curves_table(1))
    assert dict(mpl.rcParams) == before


def test_run_triangle_gives_the_same_bytes_again(tmp_path):
    paths = [
        write_chain(tmp_path, name, 0.03 * (1 + i))
        for i, name in enumerate(("reference", "lowpass_30", "phases"))
    ]
    outputs = [tmp_path / name / "triangle_cnn.png" for name in ("one", "other")]
    for output in outputs:
        plot.run(SPEC, "triangle", {"chains": paths}, output)
        assert written(output)
    for suffix in (".png", ".pdf"):
        one, other = (path.with_suffix(suffix).read_bytes() for path in outputs)
        assert one == other
    assert not plt.get_fignums()


def test_run_tiles(tmp_path):
    paths = [write_example(tmp_path, name, i) for i, name in enumerate(LABELS)]
    output = tmp_path / "figures" / "tiles.png"
    plot.run(SPEC | {"side_deg": 5}, "tiles", {"examples": paths}, output)
    assert written(output)


def test_run_history(tmp_path):
    paths = [
        write_history(tmp_path, name, estimator, seed)
        for name in list(LABELS)[:4]
        for estimator in ESTIMATORS
        for seed in range(2)
    ]
    output = tmp_path / "figures" / "history.png"
    plot.run(SPEC, "history", {"histories": paths}, output)
    assert written(output)


def test_history_states_what_is_not_trained_again(tmp_path):
    paths = [write_history(tmp_path, "reference", name, 0) for name in ESTIMATORS]
    other = list(LABELS)[1]
    paths.append(write_history(tmp_path, other, ESTIMATORS[0], 0))
    figure = history.draw(SPEC, paths)
    texts = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert texts[:3] == [[], [], []]
    assert texts[3][0].replace("\n", " ") == "Same inputs, not trained again"


def test_run_learning_curves(tmp_path):
    table = tmp_path / "learning_curves.csv"
    output = tmp_path / "figures" / "learning_curves.png"
    curves_table(2).to_csv(table, index=False)
    plot.run({}, "learning_curves", {"table": table}, output)
    assert written(output)
