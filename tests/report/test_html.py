"""Pages of the report: numbers, words and tables in HTML."""

from __future__ import annotations

import math
from html.parser import HTMLParser

import pytest

from infoscope.report.html import (
    SORT,
    document,
    measured,
    number,
    p_value,
    rounded,
    table,
    text,
    with_error,
    word,
)

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


def test_small_p_values_are_limits() -> None:
    assert p_value(2e-7).html == "&lt; 0.001"
    assert p_value(0.0234).html == "0.023"
    assert p_value(math.nan).html == "–"


def test_what_is_missing_is_empty() -> None:
    assert text(math.nan).html == text(None).html == ""
    assert number(math.nan).order is measured(math.nan, 1).order is None


def test_text_is_shown_as_it_is() -> None:
    page = document(HOSTILE, table([HOSTILE], [[text(HOSTILE)], [word(HOSTILE)]]))
    read = Read(page)
    assert read.tags.count("script") == 1 and "b" not in read.tags
    assert [row[0] for row in read.rows] == [HOSTILE] * 3
    assert page.count("<script>") == 1 and SORT in page


def test_a_table_has_its_rows() -> None:
    rows = [[text("a"), measured(2, 0.5), word("wider")]] * 3
    read = Read(table(["name", "value", "verdict"], rows, [("", 1), ("group", 2)]))
    assert read.rows == [
        ["", "group"],
        ["name", "value", "verdict"],
        *[["a", "2.00 ± 0.50", "wider"]] * 3,
    ]


def test_verdicts_are_words_in_colours() -> None:
    assert word("falling and overfit").html.count("warning") == 2
    assert 'class="word good">supported<' in word("supported").html
    assert 'class="word bad">differs<' in word("differs").html
