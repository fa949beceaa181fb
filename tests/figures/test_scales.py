"""Figure of scales, of synthetic tables."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from infoscope.figures import scales
from infoscope.figures.scales import plot_scales
from infoscope.stages import plot
from infoscope.study import specs
from infoscope.study.config import parse_study

from .ratios import ESTIMATORS, marked, widths_table, withheld

ROOT = Path(__file__).parents[2]
FILTERS = {
    "lowpass_8": ("lowpass", 8.0, 8.0),
    "lowpass_12": ("lowpass", 12.0, 12.0),
    "highpass_12": ("highpass", 12.0, 12.0),
    "bandpass_8_12": ("bandpass", 8.0, 12.0),
    "bandstop_8_12": ("bandstop", 8.0, 12.0),
}
LABELS = {name: name for name in ("reference", "shuffled", *FILTERS)}
SCALES = pd.DataFrame(
    {
        "chi_mpc_h": [1000.0, 2000.0],
        "pixel_mpc_h": [4.0, 8.0],
        "nonlinear_mpc_h": [13.0, 16.0],
    }
)


def test_points_are_at_the_scales_of_filters():
    table = widths_table(LABELS)
    figure = plot_scales(table, SCALES, FILTERS, 0.05)
    figure.draw_without_rendering()
    assert [ax.get_title() for ax in figure.axes] == [
        "Low-pass: scales above R", "High-pass: scales below R", "Bands",
    ]  # fmt: skip
    ratios = table[table.metric == "sigma_s8"].set_index(["degradation", "estimator"])
    groups = (["lowpass_8", "lowpass_12"], ["highpass_12"], list(FILTERS)[3:])
    for ax, names in zip(figure.axes, groups, strict=True):
        found = [
            (y, x)
            for line in ax.lines if line.get_marker() in ("o", "s")
            for x, y in zip(*line.get_data(), strict=True)
        ]  # fmt: skip
        expected = [
            (ratios.ratio[name, estimator], np.sqrt(np.prod(FILTERS[name][1:])))
            for estimator in ESTIMATORS
            for name in names
        ]
        np.testing.assert_allclose(sorted(found), sorted(expected), rtol=0.05)


def test_no_transition_in_the_table_is_no_band():
    """A cosmology with so little structure that it is linear on all scales."""
    table = widths_table(LABELS)
    figure = plot_scales(table, SCALES.assign(nonlinear_mpc_h=np.nan), FILTERS, 0.05)
    figure.draw_without_rendering()
    assert np.isfinite(figure.axes[0].get_xlim()).all()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "Becomes non-linear" not in names


def test_caveats_and_what_is_withheld_are_marked():
    table = widths_table(LABELS)
    marked(table, "cnn", ["lowpass_8"], training_verdict="falling")
    withheld(table, "cnn", ["lowpass_12"])
    table["prior_limited"] = True
    figure = plot_scales(table, SCALES, FILTERS, 0.05)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "Not fully trained" in names and "Corrected" not in names
    assert "prior" in figure.legends[0].get_title().get_text()
    (text,) = figure.axes[0].texts
    assert text.get_text() == "withheld"
    assert text.xy[0] == pytest.approx(12, rel=0.05)


def test_filters_are_those_of_the_survey_as_it_is():
    study = yaml.safe_load((ROOT / "config/studies/claims.yaml").read_text())
    found = specs.filters(parse_study(study))
    assert list(found) == ["bandpass_8_12", "bandstop_8_12", "smoothed_8"]
    assert found["smoothed_8"]["scale_mpc_h"] == [8]
    ci = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text())
    assert not specs.shows_scales(parse_study(ci))


def test_multipoles_are_lengths_at_the_mean_distance(tmp_path, monkeypatch):
    study = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text())
    study["degradations"] |= {
        "low": {"operations": [{"operation": "lowpass", "ell": 20}]},
        "band": {"operations": [{"operation": "bandstop", "ell": [10, 20]}]},
        "both": {"operations": [{"operation": "lowpass", "ell": 20}] * 2},
    }
    spec = json.loads(specs.canonical(specs.plot_scales(parse_study(study))))
    widths_table(LABELS).to_csv(tmp_path / "widths.csv", index=False)
    SCALES.to_csv(tmp_path / "scales.csv", index=False)
    drawn = []

    def of_known(table, of_bins, filters, margin):
        drawn.append(filters)
        return plot_scales(table, of_bins, FILTERS, margin)

    monkeypatch.setattr(scales, "plot_scales", of_known)
    output = tmp_path / "scales.png"
    files = {"table": tmp_path / "widths.csv", "scales": tmp_path / "scales.csv"}
    plot.run(spec, "scales", files, output)
    assert output.exists() and output.with_suffix(".pdf").exists()
    (filters,) = drawn
    length = np.pi / 20 * 1500
    assert filters["low"] == ("lowpass", pytest.approx(length), pytest.approx(length))
    assert filters["band"] == (
        "bandstop", pytest.approx(length), pytest.approx(2 * length),
    )  # fmt: skip
    assert set(filters) == {"low", "band"}
