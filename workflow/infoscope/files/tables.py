"""Reading tables of results."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from infoscope.errors import InfoscopeError


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV file that the package wrote.

    Raises
    ------
    InfoscopeError
        If the file is truncated or cannot be parsed.
    """
    try:
        # pandas does not notice a truncated table
        if not path.read_bytes().endswith(b"\n"):
            raise ValueError("it is truncated")
        return pd.read_csv(path)
    except ValueError as error:
        raise InfoscopeError(
            f"{path}: is damaged ({error}): delete it and run again"
        ) from None
