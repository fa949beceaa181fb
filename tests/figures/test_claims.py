"""Figure of claims, of synthetic tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from infoscope.figures.claims import VERDICTS, draw
from infoscope.figures.markers import family_colour
from infoscope.results.claims import MEANINGS
from infoscope.stages import plot
from infoscope.vocabulary import Verdict

from .ratios import marked, widths_table

LABELS = {"reference": "reference", "cut": "low $ high", "smooth": "low-pass"}
FAMILIES = {"reference": "reference", "cut": "values", "smooth": "scales"}
SPEC = {"labels": LABELS, "families": FAMILIES}
LONG = "A claim that costs $5 and is so long that it has to be broken, " * 4


def claims_table() -> pd.DataFrame:
    common = {"metric": "sigma_s8", "estimator": "cnn", "against_estimator": "cnn"}
    wider = common | {"claim": LONG, "claim_verdict": "contradicted"}
    rows = [
        wider
        | {"degradation": "cut", "against_degradation": "smooth", "ratio": 1.3}
        | {"ratio_error": 0.05, "expected_low": 1.1, "verdict": "supported"},
        wider
        | {"degradation": "smooth", "against_degradation": "reference", "ratio": 0.7}
        | {"ratio_error": 0.05, "expected_low": 1, "verdict": "contradicted"}
        | {"metric": "area68", "against_estimator": "power_spectrum"},
        common
        | {"claim": "Same.", "claim_verdict": "undecided", "degradation": "cut"}
        | {"against_degradation": "reference", "verdict": "undecided"}
        | {"expected_low": 1 / 1.05, "expected_high": 1.05},
        {"claim": "Costly.", "claim_verdict": "supported", "metric": "cost of training"}
        | {"expected_low": 0.5, "expected_high": 1, "ratio": 0.9}
        | {"verdict": "supported"},
    ]
    return pd.DataFrame(rows, columns=list(MEANINGS))


def diagnostics() -> pd.DataFrame:
    table = widths_table(LABELS)
    return table[table.metric == "sigma_s8"].drop(columns="metric")


def drawn(of_widths: pd.DataFrame) -> Figure:
    figure = draw(SPEC, claims_table(), of_widths)
    figure.draw_without_rendering()
    return figure


def looks(figure: Figure) -> dict[float, tuple]:
    (ax,) = figure.axes
    return {
        float(x): (line.get_marker(), line.get_mfc(), line.get_mec())
        for line in ax.lines if line.get_marker() in ("o", "s", "D")
        for x in line.get_xdata() if not np.isnan(x)
    }  # fmt: skip


def test_rows_have_ratios_expectations_and_verdicts():
    figure = drawn(diagnostics())
    (ax,) = figure.axes
    texts = [label.get_text() for label in ax.get_yticklabels()]
    assert texts == [
        "low $ high / low-pass, CNN",
        "low-pass, CNN\n/ reference, Power spectrum: area68",
        "low $ high / reference, CNN",
        "cost of training",
    ]
    assert looks(figure) == {
        1.3: ("o", family_colour("values"), "white"),
        0.7: ("o", family_colour("scales"), "white"),
        0.9: ("D", (0.3, 0.3, 0.3), (0.3, 0.3, 0.3)),
    }
    assert set(VERDICTS) == {Verdict.SUPPORTED, Verdict.CONTRADICTED}
    left, right = ax.get_xlim()
    expected = [(1.1, right), (1, right), (1 / 1.05, 1.05), (0.5, 1)]
    found = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]
    np.testing.assert_allclose(found, expected)
    assert left < 0.5 and right > 1.35
    words = [text.get_text() for text in ax.texts if "ed" in text.get_text()[-2:]]
    of_claims = ["contradicted", "undecided", "supported"]
    assert words == of_claims + ["supported", "contradicted", "undecided", "supported"]


def test_long_texts_are_wrapped_and_never_clipped():
    figure = drawn(diagnostics())
    (ax,) = figure.axes
    page = figure.bbox
    supported = [text for text in ax.texts if text.get_text() == "supported"]
    verdicts = min(text.get_window_extent().x0 for text in supported)
    (long,) = (text for text in ax.texts if text.get_text().startswith("A claim"))
    assert " ".join(long.get_text().split()) == LONG.strip()
    box = long.get_window_extent()
    assert page.x0 <= box.x0 and box.x1 < verdicts
    first = ax.get_yticklabels()[0].get_window_extent()
    assert box.y0 > first.y1
    for text in [*ax.texts, *ax.get_yticklabels()]:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and box.y0 >= page.y0


def test_a_caveat_of_either_width_is_marked():
    table = diagnostics()
    marked(table, "cnn", ["smooth"], training_verdict="falling")
    marked(table, "power_spectrum", ["reference"], calibration="corrected")
    figure = drawn(table)
    found = looks(figure)
    assert found[1.3] == ("o", "white", family_colour("values"))
    assert found[0.7] == ("o", "white", "black")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[-2:] == ["Not fully trained", "Corrected"]


def test_what_is_withheld_is_written():
    table = diagnostics()
    marked(table, "cnn", ["cut"], calibration="withheld")
    claims = claims_table()
    claims.loc[0, ["ratio", "ratio_error"]] = np.nan
    figure = draw(SPEC, claims, table)
    figure.draw_without_rendering()
    (ax,) = figure.axes
    written = [text.xy[1] for text in ax.texts if text.get_text() == "withheld"]
    assert written == pytest.approx([ax.get_yticks()[0], ax.get_yticks()[2]])


@pytest.mark.parametrize("rows", [slice(0, 1), slice(3, 4)])
def test_run_claims(tmp_path: Path, rows: slice):
    claims_table()[rows].to_csv(tmp_path / "claims.csv", index=False)
    diagnostics().to_csv(tmp_path / "diagnostics.csv", index=False)
    output = tmp_path / "figures/claims.png"
    files = {
        "table": tmp_path / "claims.csv",
        "diagnostics": tmp_path / "diagnostics.csv",
    }
    plot.run(SPEC, "claims", files, output)
    assert output.exists() and output.with_suffix(".pdf").exists()
