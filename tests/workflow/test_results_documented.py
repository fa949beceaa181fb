"""docs/results.md agrees with the results of a study."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import h5py
import pandas as pd
import pytest

from .conftest import ROOT, Checkout

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/results.md").read_text()
RULES = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
SECTIONS = dict(re.findall(r"^### `(.+?)`\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S))
COMMON = {"spec", "code", "versions", "checksum"}
VALUES = {
    "split": "train|validation|test|fiducial", "shard": r"\d{4}", "seed": r"\d+",
}  # fmt: skip


def rows(text: str) -> list[list[str]]:
    """Yield the cells of table rows that start with a name in backticks."""
    lines = re.findall(r"^\| (`.*) \|$", text, re.M)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def names(text: str) -> list[str]:
    """Return names in backticks before a colon, as in "`a`, `b`: meaning; `c`: …"."""
    before = [clause.split(":")[0] for clause in re.split(r";\s", text)]
    return [name for part in before for name in re.findall(r"`(\w+)`", part)]


def pattern(name: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", name)
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = (f"({VALUES.get(part, '[a-z0-9_]+')})" for part in parts[1::2])
    return re.compile("".join(parts))


FILES = {
    name: (rule.strip("`"), description)
    for cells, rule, description in rows(PAGE.split("## HDF5")[0])
    for name in re.findall("`(.*?)`", cells)
}


@pytest.fixture(scope="module")
def results(finished: Checkout) -> Path:
    return finished.folder / "results/ci"


@pytest.fixture(scope="module")
def optional(complete: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with some files of a study with an effect and with constants."""
    other = Checkout(tmp_path_factory.mktemp("optional") / "info scope")
    other.config = copy.deepcopy(complete.config)
    high = {"operation": "keep_convergence", "ranges": [[1, None]]}
    other.config["degradations"] = {
        "reference": {},
        "high": {"operations": [high], "intrinsic_alignment": {"a_ia": 1}},
    }
    del other.config["claims"]
    target = "results/ci/datasets/high/fiducial/0000.h5"
    text = other.snakemake("--cores", "1", target)
    assert other.returncode == 0, text
    return other.folder / "results/ci"


@pytest.fixture(scope="module")
def found(results: Path, optional: Path) -> dict[str, list[Path]]:
    """Return the files of both studies by their documented names."""
    by_name: dict[str, list[Path]] = {name: [] for name in FILES}
    assert len(FILES) > 40
    names = {
        path: path.relative_to(folder).as_posix()
        for folder in (results, optional)
        for path in sorted(folder.rglob("*"))
    }
    for path, name in names.items():
        if path.is_dir() or name.startswith(("logs/", "benchmarks/")):
            continue
        documented = [key for key in FILES if pattern(key).fullmatch(name)]
        assert len(documented) == 1, f"{name} is documented as {documented}"
        by_name[documented[0]].append(path)
    return by_name


def test_every_file_is_there(found: dict[str, list[Path]]) -> None:
    for name, (_, description) in FILES.items():
        optional = re.search(r"\(if the", description)
        assert found[name] or optional, name


def test_every_file_is_made_by_its_rule() -> None:
    # f-strings have double braces
    text = RULES.replace("{{", "{").replace("}}", "}")
    blocks = re.split(r"^(?:rule|use rule \w+ as) (\w+)(?=:| with:)", text, flags=re.M)
    made = dict(zip(blocks[1::2], blocks[2::2], strict=True))
    constants = {"SKY_FILE": "skies/{split}/{shard}.h5", "INDEX": "cosmogrid.csv"}
    constants["DATASET_FILE"] = "datasets/{degradation}.h5"
    constants["CONSTANTS_FILE"] = "constants/{degradation}.json"
    for name, (rule, _) in FILES.items():
        own = [key for key, value in constants.items() if value == name]
        block = made["simulate_skies"] if own == ["INDEX"] else made[rule]
        assert name in block or (own and own[0] in text), f"{name}: {rule}"


def data_sets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return all data sets by name, with the same name for all splits."""
    found: dict[str, h5py.Dataset] = {}

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    file.visititems(add)
    return found


def needs(file: h5py.File, description: str) -> bool:
    """Whether a file must have a data set, by its description."""
    spec = json.loads(file.attrs["spec"])
    if "only in the split" in description:
        return f"only in the split `{spec['split']}`" in description
    return "only if a degradation uses" not in description or bool(spec["effects"])


@pytest.mark.parametrize("name", [name for name in SECTIONS if name.endswith(".h5")])
def test_hdf5_file(found: dict[str, list[Path]], name: str) -> None:
    text = SECTIONS[name]
    known = {cells[0].strip("`"): cells[1:5] for cells in rows(text)}
    paragraphs = re.findall(r"^Attributes? (.*?)(?=^\n|\Z)", text, re.M | re.S)
    attributes = {key for paragraph in paragraphs for key in names(paragraph)}
    assert known and found[name]
    absent = set(known)
    for path in found[name]:
        with h5py.File(path) as file:
            assert set(file.attrs) == attributes | COMMON
            seen, sizes = set(), {}
            needed = {key for key in known if needs(file, known[key][3])}
            for key, data in data_sets(file).items():
                split, _, rest = key.rpartition("/")
                documented = f"{{split}}/{rest}" if split else key
                seen.add(documented)
                shape, dtype, unit, _ = known[documented]
                symbols = [symbol for symbol in shape.split(", ") if symbol]
                assert data.dtype == dtype and data.ndim == len(symbols), key
                for symbol, size in zip(symbols, data.shape, strict=True):
                    # each split has its own skies
                    own = int(symbol) if symbol.isdigit() else size
                    assert sizes.setdefault((split, symbol), own) == size, key
                assert (dtype == "float16") == (unit == f"`{rest or key}_scale`"), key
            assert seen == needed, path
            absent -= seen
    # some files have what others do not need
    assert not absent


@pytest.mark.parametrize("name", [name for name in SECTIONS if name.endswith(".csv")])
def test_columns_of_a_table(found: dict[str, list[Path]], name: str) -> None:
    documented = names(SECTIONS[name])
    assert documented
    for path in found[name]:
        assert list(pd.read_csv(path).columns) == documented


def test_columns_of_the_other_tables(results: Path) -> None:
    explained = pd.read_csv(results / "columns.csv")
    tables = {name: set(rows.column) for name, rows in explained.groupby("table")}
    tables["claims.csv"] = set(pd.read_csv(results / "claims_columns.csv").column)
    for name, columns in tables.items():
        assert set(pd.read_csv(results / name).columns) == columns, name
    described = {*tables, "columns.csv", "claims_columns.csv", *SECTIONS}
    assert {name for name in FILES if name.endswith(".csv")} - described == {
        "cosmogrid.csv",
        "learning_curves/{degradation}/{estimator}/{budget}/seed_{seed}/history.csv",
    }


def test_logs_and_benchmarks_have_the_names_of_rules(results: Path) -> None:
    for folder, suffix in (("logs", ".log"), ("benchmarks", ".tsv")):
        files = [path for path in (results / folder).rglob("*") if path.is_file()]
        assert len(files) > 20
        for path in files:
            rule = path.relative_to(results / folder).parts[0].removesuffix(suffix)
            assert re.search(rf"\b{rule}\b", RULES) and path.suffix == suffix
