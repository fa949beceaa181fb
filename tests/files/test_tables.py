"""Incomplete tables are errors that name the file, and are not read in part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from infoscope.errors import InfoscopeError
from infoscope.files.tables import read_table
from infoscope.inference import getdist_chains as chains
from infoscope.survey.redshifts import write_nz
from infoscope.survey.survey import RedshiftDistribution, read_nz


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize("size", [0, 1, 5, 20, 200])
def test_a_table_that_is_cut_is_named(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.csv"
    table = pd.DataFrame({"name": list("abcdefgh"), "value": np.pi + np.arange(8)})
    table.to_csv(path, index=False)
    pd.testing.assert_frame_equal(read_table(path), table)
    cut(path, min(size, path.stat().st_size - 1))
    with pytest.raises(InfoscopeError, match=f"^{path}: is damaged .*: delete it and"):
        read_table(path)


def test_n_of_z_that_is_cut_or_changed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nz.txt"
    z = np.linspace(0, 2, 50)
    nz = RedshiftDistribution(z, np.stack([z * np.exp(-z), z**2 * np.exp(-z)]))
    write_nz(nz, path)
    np.testing.assert_allclose(read_nz(path).z, z)
    np.testing.assert_array_equal(np.loadtxt(path)[:, 0], z)
    whole = path.read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")][:-1]
    for size in (*range(0, len(whole), 37), *ends):
        cut(path, size)
        with pytest.raises(InfoscopeError, match=f"^survey.nz: {path}: "):
            read_nz(path)
        path.write_bytes(whole)
    for position in range(0, len(whole), 53):
        content = bytearray(whole)
        content[position] ^= 1
        path.write_bytes(content)
        try:
            found = read_nz(path)
        except InfoscopeError as error:
            assert f"survey.nz: {path}: " in str(error)
        else:
            # in the names of the columns
            assert position < whole.index(b"\n")
            np.testing.assert_array_equal(found.z, z)


def test_a_chain_that_is_cut_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.1.txt"
    samples = np.random.default_rng(1).random((100, 2))
    path.write_text(chains.chain(samples, "corrected"))
    assert chains.read_calibration(path) == "corrected"
    whole = path.read_bytes()
    for size in range(0, len(whole), 37):
        cut(path, size)
        if not path.read_bytes().endswith(b"\n"):
            with pytest.raises(InfoscopeError, match=f"^{path}: is damaged: delete"):
                chains.read_calibration(path)
        path.write_bytes(whole)
