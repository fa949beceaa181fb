"""Figure of ranges of κ, of synthetic tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from matplotlib.axes import Axes

from infoscope.figures.kappa_ranges import Cut, draw
from infoscope.figures.markers import family_colour
from infoscope.stages import plot
from infoscope.study import specs
from infoscope.study.config import Study, parse_study

from .ratios import ESTIMATORS, marked, widths_table, withheld

ROOT = Path(__file__).parents[2]
SMOOTHED = {"operation": "lowpass", "scale_mpc_h": 200}
HIGH = {"ranges": [[1, None]]}
CUT = {"operation": "keep_convergence"} | HIGH
MASK = {"operation": "random_mask", "area_of": HIGH}
DEGRADATIONS = {
    "reference": [],
    "high": [CUT],
    "high_control": [MASK],
    "smoothed": [SMOOTHED],
    "smoothed_high": [SMOOTHED, CUT],
    "smoothed_control": [SMOOTHED, MASK],
    "smoothed_low": [SMOOTHED, CUT | {"ranges": [[None, -1]]}],
    "share": [MASK | {"area_of": None, "fraction": 0.16}],
    "after": [CUT, SMOOTHED],
    "other": [{"operation": "lowpass", "scale_mpc_h": 300}, CUT],
}


def study(**noise: str) -> Study:
    config = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text())
    del config["claims"]
    config["degradations"] = {
        name: {"operations": operations, "noise": noise.get(name)}
        for name, operations in DEGRADATIONS.items()
    }
    return parse_study(config)


def spec_of(study: Study) -> dict[str, Any]:
    return json.loads(specs.canonical(specs.plot_kappa_ranges(study)))


def cuts_of(study: Study) -> dict[str, Cut]:
    return {cut["degradation"]: Cut(**cut) for cut in spec_of(study)["cuts"]}


def test_cuts_have_the_control_and_the_maps_of_the_same_smoothing():
    found = {
        name: (cut.control, cut.uncut) for name, cut in cuts_of(study()).items()
    }  # fmt: skip
    assert found == {
        "high": ("high_control", "reference"),
        "smoothed_high": ("smoothed_control", "smoothed"),
        "smoothed_low": (None, "smoothed"),
        "other": (None, None),
    }


def test_other_noise_makes_other_maps():
    found = cuts_of(study(smoothed="none", smoothed_control="after"))
    assert found["smoothed_high"].control is found["smoothed_high"].uncut is None
    found = cuts_of(study(smoothed="none", smoothed_high="none"))
    assert found["smoothed_high"].uncut == "smoothed"
    assert found["smoothed_low"].uncut is None


def test_a_smoothing_of_the_survey_is_in_the_reference_too():
    path = ROOT / "config/studies/convergence.yaml"
    found = cuts_of(parse_study(yaml.safe_load(path.read_text())))
    assert {cut.uncut for cut in found.values()} == {"reference"}
    assert all(cut.control == f"random_{name}" for name, cut in found.items())


@pytest.mark.parametrize(
    ("by", "ranges", "expected"),
    [
        ("sigma", [[None, -1], [0, None]], [(-np.inf, -1), (0, np.inf)]),
        ("sigma", [[-1, 0]], [(-1, 0)]),
        ("quantile", [[None, 0.5], [0.8413447, 1]], [(-np.inf, 0), (1, np.inf)]),
    ],
)
def test_kept_ranges(by: str, ranges: list, expected: list):
    kept = list(Cut("name", ranges, by, None, None).kept())
    np.testing.assert_allclose(kept, expected, atol=1e-6)


def points(ax: Axes, row: int) -> set[tuple[float, str, tuple]]:
    """Ratio, marker and colour of what is in a row."""
    return {
        (round(float(x), 6), line.get_marker(), line.get_mfc())
        for line in ax.lines if line.get_marker() in ("o", "s")
        for x, y in zip(*line.get_data(), strict=True)
        if row - 0.5 < y < row + 0.5 and not np.isnan(x)
    }  # fmt: skip


def test_rows_have_cuts_and_controls_and_the_line_of_their_maps():
    table = widths_table({name: name for name in DEGRADATIONS})
    figure = draw(spec_of(study()), table)
    figure.draw_without_rendering()
    left, right = figure.axes
    texts = [label.get_text().replace("\n", " ") for label in left.get_yticklabels()]
    assert texts == [
        "Cut from reference", "high",
        "Cut from smoothed", "smoothed_high", "smoothed_low",
        "Cut from other maps", "other",
    ]  # fmt: skip
    shown = table[table.metric == "sigma_s8"].set_index(["degradation", "estimator"])
    values, controls = family_colour("values"), family_colour("controls")
    first = (round(shown.ratio["smoothed_high", "cnn"], 6), "o", values)
    control = (round(shown.ratio["smoothed_control", "cnn"], 6), "o", controls)
    assert {first, control} < points(right, 3) and len(points(right, 3)) == 4
    assert [len(points(right, row)) for row in (0, 1, 4, 6)] == [0, 4, 2, 2]
    lines = [line for line in right.lines if line.get_linestyle() == "-."]
    ratios = [shown.ratio["smoothed", estimator] for estimator in ESTIMATORS]
    assert [line.get_xdata()[0] for line in lines] == ratios * 2
    assert [tuple(line.get_ydata()) for line in lines[::2]] == [(2.5, 3.5), (3.5, 4.5)]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    masks = "Random pixels, same area"
    assert names[2:] == ["These values only", masks, "Before the cut"]


def test_caveats_and_what_is_withheld_are_marked():
    table = widths_table({name: name for name in DEGRADATIONS})
    marked(table, "cnn", ["high"], training_verdict="overfit")
    # of others there is no caveat to explain
    marked(table, "cnn", ["after"], calibration="corrected")
    withheld(table, "cnn", ["smoothed", "high_control"])
    figure = draw(spec_of(study()), table)
    figure.draw_without_rendering()
    _, right = figure.axes
    assert ("o", "white") in {(marker, face) for _, marker, face in points(right, 1)}
    assert [text.get_text() for text in right.texts] == ["withheld"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "Not fully trained" in names and "Corrected" not in names


def test_run_kappa_ranges(tmp_path: Path):
    table, output = tmp_path / "widths.csv", tmp_path / "kappa_ranges.png"
    widths_table({name: name for name in DEGRADATIONS}).to_csv(table, index=False)
    plot.run(spec_of(study()), "kappa_ranges", {"table": table}, output)
    assert output.exists() and output.with_suffix(".pdf").exists()
