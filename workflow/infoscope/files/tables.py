"""Tables of results, read back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from infoscope.errors import InfoscopeError


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV file that the package wrote.

    Raises
    ------
    InfoscopeError
        If it ends within a line, or is no table.
    """
    try:
        # also of a table that was cut, pandas makes a table
        if not path.read_bytes().endswith(b"\n"):
            raise ValueError("ends within a line")
        return pd.read_csv(path)
    except ValueError as error:
        raise InfoscopeError(
            f"{path}: is damaged ({error}): delete it and run again"
        ) from None
