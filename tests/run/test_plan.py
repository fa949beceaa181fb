"""The output of `plan` for a study."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from infoscope.cli import main
from infoscope.errors import InfoscopeError
from infoscope.run.costs import Costs
from infoscope.run.jobs import jobs
from infoscope.run.plan import measured_factors, plan, read, table

ROOT = Path(__file__).parents[2]
CI = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text())
STAGE3 = ROOT / "config/studies/stage3.yaml"


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to the repository, to which paths in configs are relative."""
    monkeypatch.chdir(ROOT)


def written(folder: Path, config: Any) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def benchmarked(costs: Costs, results: Path, factor: float) -> None:
    """Write benchmarks of jobs that took longer than expected by a factor."""
    for job in jobs(costs.study):
        path = results / "benchmarks" / job.benchmark
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = factor * costs.job(job.rule, job.wildcards).seconds
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds:.4f}\t0:00:00\t1.0\n")


def test_totals_are_sums_over_all_jobs(tmp_path: Path) -> None:
    costs = read(written(tmp_path, CI))
    rows = {row.rule: row for row in table(costs)}
    assert sum(row.jobs for row in rows.values()) == len(list(jobs(costs.study)))
    expected = [
        costs.degrade_maps(degradation, split, shard)
        for degradation in ("reference", "shuffle_pixels")
        for split, shard in (
            ("train", "0000"),
            ("validation", "0000"),
            ("test", "0000"),
            ("test", "0001"),
            ("fiducial", "0000"),
        )
    ]
    row = rows["degrade_maps"]
    assert row.seconds == pytest.approx(sum(cost.seconds for cost in expected))
    assert row.size == sum(cost.size for cost in expected)
    assert row.memory_mb == max(cost.memory_mb for cost in expected)


def test_local_rules_are_left_out_in_a_remark(tmp_path: Path) -> None:
    text = plan(written(tmp_path, CI))
    assert "\ntrain_estimator " in text and "plot_" not in text
    assert text.count("\nTables and figures are not listed") == 1


def test_training_runs_use_gpus_only_if_there_are_some() -> None:
    costs = read(STAGE3)
    for gpu in (False, True):
        on_gpu = {row.rule for row in table(costs, gpu) if row.gpu}
        assert on_gpu == ({"train_estimator"} if gpu else set())


def test_more_cores_take_less_time_down_to_the_longest_job() -> None:
    row = max(table(read(STAGE3)), key=lambda row: row.seconds)
    assert row.elapsed(2, 0) == row.seconds / 2
    assert row.elapsed(10**6, 0) == row.longest


def test_measured_rates_are_those_of_the_other_study(tmp_path: Path) -> None:
    costs = read(STAGE3)
    benchmarked(costs, tmp_path, 2.5)
    factors = measured_factors(costs, tmp_path)
    assert factors["train_estimator"] == pytest.approx(2.5, rel=1e-3)
    # jobs of a second or two are ignored
    assert "tabulate_nz" not in factors and "export_chain" not in factors
    before, after = table(costs), table(costs, factors=factors)
    for one, other in zip(before, after, strict=True):
        factor = 2.5 if one.rule in factors else 1
        assert other.seconds == pytest.approx(factor * one.seconds, rel=1e-3)
        assert (other.size, other.memory_mb) == (one.size, one.memory_mb)


def test_a_study_that_has_not_run_is_no_measurement(tmp_path: Path) -> None:
    costs = read(written(tmp_path, CI))
    with pytest.raises(InfoscopeError, match="every rule take less than 10 s"):
        measured_factors(costs, tmp_path)


def test_measured_study_is_found_in_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = copy.deepcopy(CI) | {"study": "small"}
    config["survey"] |= {
        "nz": {"kind": "smail", "z0": 0.3, "beta": 1.0, "sigma_z": 0.05, "n_bins": 2}
    }
    config["grid"]["train"]["cosmologies"] = 8000
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, config)
    benchmarked(read(path), Path("results/small"), 3)
    text = plan(path, measured=path)
    assert "Measured time / expected time: " in text
    assert "train_estimator 3.00" in text


def test_assumptions_are_called_so(tmp_path: Path) -> None:
    assert "ASSUMED, not measured: train_estimator on a GPU" in plan(STAGE3, 1, 1)
    assert "ASSUMED" not in plan(STAGE3, 1)
    costs = read(STAGE3)
    factors = {"train_estimator": 2.0}
    rows = table(costs, gpu=True, factors=factors)
    assert [row.rule for row in rows if row.gpu] == ["train_estimator"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"sead": 3}, "config: sead: unknown key (config/README.md lists all keys)"),
        (
            {"simulator": {"name": "cosmogrid", "root": "no/copy"}},
            "config: simulator.root: no/copy: no such folder; give the folder of your "
            "copy of CosmoGridV1 (docs/cosmogrid.md)",
        ),
    ],
)
def test_bad_config_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, line: str
) -> None:
    path = written(tmp_path, CI | change)
    assert main(["plan", str(path)]) == 2
    output = capsys.readouterr()
    assert output.err == f"infoscope plan: {line}\n" and output.out == ""


def test_unreadable_config_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("study: [\n")
    for path in (broken, tmp_path / "missing.yaml", written(tmp_path, [])):
        assert main(["plan", str(path)]) == 2
        output = capsys.readouterr().err
        assert output.count("\n") == 1 and str(path) in output


def test_documented_cost_of_the_full_study_is_what_plan_prints() -> None:
    """The command in docs/cost.md prints the table below it."""
    document = (ROOT / "docs/cost.md").read_text()
    assert plan(STAGE3, cores=64, gpus=4) in document


def test_documented_costs_of_other_studies_are_those_of_plan(tmp_path: Path) -> None:
    config = yaml.safe_load(STAGE3.read_text())
    fewer = config["grid"] | {
        "train": {"cosmologies": 34, "skies": 2},
        "validation": {"cosmologies": 5, "skies": 1},
        "test": {"cosmologies": 18, "skies": 2},
    }
    network = {"kind": "deeplss"}
    studies = {
        "`stage3.yaml`": config,
        "with 57 cosmologies (34, 5, 18)": config | {"grid": fewer},
        "with lognormal skies": config | {"simulator": {"name": "lognormal"}},
        "with `deeplss` for `cnn`": config
        | {"estimators": config["estimators"] | {"cnn": network}},
    }
    document = (ROOT / "docs/cost.md").read_text()
    for name, study in studies.items():
        assert documented(name, read(written(tmp_path, study))) in document


def test_what_is_deleted_is_not_there_in_the_end(tmp_path: Path) -> None:
    config = yaml.safe_load(STAGE3.read_text())
    sizes = {row.rule: row.size for row in table(read(STAGE3))}
    whole = sum(sizes.values())
    for key, rule in (
        ("keep_skies", "simulate_skies"),
        ("keep_datasets", "degrade_maps"),
    ):
        text = plan(written(tmp_path, config | {"storage": {key: False}}))
        left = whole - sizes[rule]
        at_most, in_the_end = (f"{size / 1e9:.1f} GB" for size in (whole, left))
        assert f"{at_most} on disk at most, {in_the_end} in the end" in text


def documented(name: str, costs: Costs) -> str:
    """Return a row of the table in docs/cost.md."""
    rows = table(costs, gpu=True)
    on_gpu = sum(row.seconds for row in rows if row.gpu) / 3600
    core = sum(row.seconds for row in rows if not row.gpu) / 3600
    only = sum(row.seconds for row in table(costs)) / 3600
    size = sum(row.size for row in rows) / 1e9
    hours = " | ".join(f"{value:,.0f}" for value in (core, on_gpu, only))
    return f"| {name} | {sum(row.jobs for row in rows):,} | {hours} | {size:.0f} |"
