"""Numbers as text, rounded to the precision that their errors allow."""

from __future__ import annotations

import math

NOTHING = "–"


def rounded(value: float, digits: int = 3) -> str:
    """Round to significant digits, and write large numbers without an exponent."""
    if math.isnan(value):
        return NOTHING
    # the format g would write 999.7 as 1e+03
    if abs(value) >= 10**digits - 0.5:
        return f"{value:,.0f}"
    shown = f"{value:.{digits}g}"
    return shown.replace("-", "−")


def with_error(value: float, error: float) -> str:
    """Round an error to two digits, and the value to the same place.

    An error of 0 is an unknown error.
    """
    if math.isnan(value):
        return NOTHING
    if not error > 0 or math.isinf(error):
        return rounded(value)
    # rounded first: 0.0996 becomes 0.10
    places = max(0, 1 - math.floor(math.log10(float(f"{error:.1e}"))))
    return f"{value:,.{places}f} ± {error:,.{places}f}".replace("-", "−")


def p_value(value: float) -> str:
    """Round a p value, and write a small one as a limit."""
    return "< 0.001" if value < 1e-3 else rounded(value, 2)
