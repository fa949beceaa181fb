"""Pages of the report: tables in HTML that need nothing but themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

# What a word means for a reader, as a class of the style below: colours only repeat it.
TONES = {
    "wider": "bad",
    "narrower": "other",
    "equivalent": "good",
    "supported": "good",
    "contradicted": "bad",
    "agrees": "good",
    "differs": "bad",
    "undecided": "unknown",
    "withheld": "bad",
    "corrected": "warning",
    "falling": "warning",
    "overfit": "warning",
    "prior-limited": "warning",
}
NOTHING = "–"

STYLE = """
.infoscope { color: #1e293b; font: 14px/1.45 system-ui, sans-serif; }
.infoscope h1 { font-size: 24px; margin: 0 0 4px; }
.infoscope h2 { font-size: 16px; font-weight: 600; margin: 20px 0 6px; }
.infoscope p { margin: 6px 0; max-width: 60em; }
.infoscope ul { margin: 0; padding-left: 18px; list-style: disc; }
.infoscope li { margin: 4px 0; padding: 0; }
.infoscope table { border-collapse: collapse; font-size: 13px; margin: 6px 0;
  width: auto; }
.infoscope th, .infoscope td { border: 0; border-bottom: 1px solid #e2e8f0;
  padding: 3px 8px 3px 0; text-align: left; vertical-align: top; }
.infoscope td:first-child { white-space: nowrap; }
.infoscope .sentences td:first-child { white-space: normal; }
.infoscope th { border-bottom-color: #64748b; font-weight: 600; }
.infoscope td.number, .infoscope th.number { font-variant-numeric: tabular-nums;
  text-align: right; white-space: nowrap; }
.infoscope .word { border-radius: 4px; padding: 0 5px; white-space: nowrap; }
.infoscope .good { background: #d1f0e4; color: #00513b; }
.infoscope .bad { background: #fbdfcc; color: #7a2e00; }
.infoscope .other { background: #d6e8f7; color: #00406b; }
.infoscope .warning { background: #fdf0c4; color: #5c4700; }
.infoscope .unknown { background: #e8ecf1; color: #334155; }
"""

# A click on the head of a column sorts the rows, a second one the other way round.
SORT = """
for (const head of document.querySelectorAll("th")) {
  head.style.cursor = "pointer";
  head.title = "Sort";
  head.onclick = () => {
    const body = head.closest("table").tBodies[0], column = head.cellIndex;
    const up = head.dataset.up = head.dataset.up === "1" ? "0" : "1";
    const compare = (a, b) => {
      const [one, other] = [a.cells[column], b.cells[column]];
      return (one.dataset.order ?? NaN) - (other.dataset.order ?? NaN)
        || one.textContent.localeCompare(other.textContent);
    };
    const sorted = [...body.rows].sort(compare);
    body.append(...(up === "1" ? sorted : sorted.reverse()));
  };
}
"""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes
    ----------
    html
        What it shows; whoever makes it has escaped it.
    order
        Number by which a column is sorted; without one, by what is shown.
    number
        Whether it stands on the right, as numbers do.
    """

    html: str
    order: float | None = None
    number: bool = False


def records(frame: pd.DataFrame) -> list[Any]:
    """Rows whose values are attributes."""
    return list(frame.itertuples())


def text(value: object) -> Cell:
    """Show text as it is, and nothing for what is missing."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return Cell("" if missing else escape(str(value)))


def word(value: object) -> Cell:
    """Show a verdict, or several, in the colour of its meaning."""
    return Cell(words(str(value).split(" and ")))


def words(values: Sequence[str]) -> str:
    """Verdicts in HTML, each once and in the colour of its meaning."""
    return " ".join(
        f'<span class="word {TONES.get(value, "")}">{escape(value)}</span>'
        for value in dict.fromkeys(values)
    )


def number(value: float, digits: int = 3) -> Cell:
    """Show a number that has no error."""
    return Cell(rounded(value, digits), _order(value), number=True)


def measured(value: float, error: float) -> Cell:
    """Show a number with as many digits as its error allows."""
    return Cell(with_error(value, error), _order(value), number=True)


def rounded(value: float, digits: int = 3) -> str:
    """Round to significant digits, without exponents for what can do without."""
    if math.isnan(value):
        return NOTHING
    # 999.7 would be 1e+03
    if abs(value) >= 10**digits - 0.5:
        return f"{value:,.0f}"
    shown = f"{value:.{digits}g}"
    return shown.replace("-", "−")


def with_error(value: float, error: float) -> str:
    """Round an error to two digits, and the value to the same place.

    An error of 0 is one that is not known.
    """
    if math.isnan(value):
        return NOTHING
    if not error > 0 or math.isinf(error):
        return rounded(value)
    # rounded first: 0.0996 has its last digit where 0.10 has it
    places = max(0, 1 - math.floor(math.log10(float(f"{error:.1e}"))))
    return f"{value:,.{places}f} ± {error:,.{places}f}".replace("-", "−")


def p_value(value: float) -> Cell:
    """Show a p value."""
    small = value < 1e-3
    return Cell("&lt; 0.001" if small else rounded(value, 2), _order(value), True)


def _order(value: float) -> float | None:
    return None if math.isnan(value) else value


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    groups: Sequence[tuple[str, int]] = (),
) -> str:
    """Make a table in HTML.

    Parameters
    ----------
    heads
        Titles of the columns, as text.
    rows
        Cells of each row.
    groups
        Titles above them, and how many columns each has.
    """
    above = "".join(
        f'<th colspan="{columns}" class="group">{escape(title)}</th>'
        for title, columns in groups
    )
    right = [bool(rows) and rows[0][i].number for i in range(len(heads))]
    head = "".join(
        f"<th{_class(on_right)}>{escape(title)}</th>"
        for title, on_right in zip(heads, right, strict=True)
    )
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    top = f"<tr>{above}</tr><tr>{head}</tr>" if groups else f"<tr>{head}</tr>"
    return f"<table><thead>{top}</thead>\n<tbody>\n{body}\n</tbody></table>\n"


def _cell(cell: Cell) -> str:
    order = "" if cell.order is None else f' data-order="{cell.order:.9g}"'
    return f"<td{_class(cell.number)}{order}>{cell.html}</td>"


def _class(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def document(title: str, body: str) -> str:
    """Make a page of its own, in which columns can be sorted.

    Parameters
    ----------
    title
        Text.
    body
        HTML, whose text has been escaped.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(title)}</title>
<style>
body {{ margin: 16px 24px; }}
{STYLE}</style>
</head>
<body class="infoscope">
<h1>{escape(title)}</h1>
{body}
<script>{SORT}</script>
</body>
</html>
"""
