"""Pages of the report: numbers, words and templates."""

from __future__ import annotations

import math
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from infoscope.report import rendering
from infoscope.report.rendering import (
    COUNTERFACTUAL,
    ENVIRONMENT,
    PRIOR_LIMITED,
    SAME_INPUTS,
    TONES,
    render,
)
from infoscope.report.rounding import p_value, rounded, with_error
from infoscope.vocabulary import Agreement, Calibration, TrainingVerdict, Verdict

ROOT = Path(__file__).parents[2]
CELLS = """{% from "cells.html.jinja" import measured, number, p_value, words %}"""
HOSTILE = """</td><script>alert("x")</script> <b>&amp; 'q' "q" {x} \\"""


class Read(HTMLParser):
    """Text, cells and tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.data = ""
        self.in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        self.data += data
        if self.in_cell:
            self.rows[-1][-1] += data


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (1.03421, 0.0213, "1.034 ± 0.021"),
        (1.03421, 0.0996, "1.03 ± 0.10"),
        (0.026612, 0.00041, "0.02661 ± 0.00041"),
        (12345.6, 321.0, "12,346 ± 321"),
        (-0.5, 0.13, "−0.50 ± 0.13"),
        (1.0, 0.0, "1"),
        (1.10234, math.nan, "1.1"),
        (math.nan, 0.1, "–"),
    ],
)
def test_a_value_has_the_digits_of_its_error(
    value: float, error: float, shown: str
) -> None:
    assert with_error(value, error) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234.5, "1,234"),
        (999.7, "1,000"),
        (0.0123456, "0.0123"),
        (-2.5, "−2.5"),
        (math.nan, "–"),
        (0, "0"),
    ],
)
def test_a_number_without_an_error_has_three_digits(value: float, shown: str) -> None:
    assert rounded(value) == shown


def fill(template: str, **values: object) -> str:
    return ENVIRONMENT.from_string(CELLS + template).render(values)


def test_small_p_values_are_limits() -> None:
    assert p_value(2e-7) == "< 0.001" and "&lt; 0.001" in fill("{{ p_value(2e-7) }}")
    assert p_value(0.0234) == "0.023"
    assert p_value(math.nan) == "–"


def test_what_is_missing_is_empty() -> None:
    assert fill("{{ a }}{{ b }}", a=math.nan, b=None) == ""
    found = fill("{{ number(a) }} {{ measured(a, 1) }}", a=math.nan)
    assert found == " ".join(['<td class="number">–</td>'] * 2)
    with pytest.raises(UndefinedError):
        fill("{{ a }}")


def test_columns_are_sorted_by_the_number_itself() -> None:
    found = fill("{{ measured(a, 0.1) }}", a=0.123456789012)
    assert found == '<td class="number" data-order="0.123456789">0.12 ± 0.10</td>'


def test_text_is_shown_as_it_is() -> None:
    page = fill(
        """{% extends "page.html.jinja" %}{% block title %}{{ text }}{% endblock %}
        {% block body %}<table><tr><th>{{ text }}</th></tr>
        <tr><td title="{{ text }}">{{ text }}</td></tr>
        <tr><td>{{ words([text]) }}</td></tr></table>{% endblock %}""",
        text=HOSTILE,
    )
    read = Read(page)
    assert read.tags.count("script") == 1 and "b" not in read.tags
    assert [row[0] for row in read.rows] == [HOSTILE] * 3
    assert page.count("<script>") == 1 and "dataset.order" in page


def test_all_templates_escape() -> None:
    for name in ENVIRONMENT.list_templates():
        source, path, _ = ENVIRONMENT.loader.get_source(ENVIRONMENT, name)
        assert "safe" not in source and "autoescape" not in source, path


def test_assets_hold_nothing_that_jinja_reads() -> None:
    for name in ("style.css", "summary.css", "sort.js"):
        source, _, _ = ENVIRONMENT.loader.get_source(ENVIRONMENT, name)
        assert render(name) == source.rstrip("\n")


def test_templates_are_data_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["infoscope.report"]
    folder = Path(rendering.__file__).parent
    packed = {path.relative_to(folder / "templates").as_posix()
              for pattern in patterns for path in folder.glob(pattern)}  # fmt: skip
    assert packed == set(ENVIRONMENT.list_templates())


def test_verdicts_are_words_in_colours() -> None:
    assert fill('{{ words(["falling", "overfit"]) }}').count("warning") == 2
    assert 'class="word good">supported<' in fill('{{ words(["supported"]) }}')
    assert 'class="word bad">differs<' in fill('{{ words(["differs"]) }}')
    assert 'class="word ">new<' in fill('{{ words(["new", "new"]) }}')
    plain = {Verdict.REFERENCE, Calibration.CALIBRATED, TrainingVerdict.TRAINED}
    words = {*Verdict, *Agreement, *Calibration, *TrainingVerdict}
    words |= {PRIOR_LIMITED, COUNTERFACTUAL, SAME_INPUTS}
    assert set(TONES) == words - plain
    style = render("style.css")
    assert all(f".infoscope .{tone} {{" in style for tone in TONES.values())
