"""Progress of a run, computed from the log events of Snakemake."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

import pytest

from infoscope import eta
from infoscope.errors import InfoscopeError
from infoscope.eta import duration, log_progress
from infoscope.run import status
from infoscope.run.progress import Listener, Progress, Record, RuleProgress, Running

EXPECTED = {"simulate": 20.0, "train": 100.0}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The current time in seconds, in a list that tests change."""
    now = [1_000_000.0]
    for name in ("time", "monotonic"):
        monkeypatch.setattr(f"time.{name}", lambda: now[0])
    return now


@pytest.fixture
def lines() -> list[str]:
    """The lines that a listener has written."""
    return []


@pytest.fixture
def listener(tmp_path: Path, clock: list[float], lines: list[str]) -> Listener:
    """Return a listener of a study with four short and two long jobs."""
    every = [("simulate", {"shard": str(i)}) for i in range(4)]
    every += [("train", {"seed": str(i)}) for i in range(2)]
    return Listener(
        path=tmp_path / "progress.json",
        expected=lambda rule, _: EXPECTED[rule],
        all_jobs=lambda: iter(every),
        write_line=lines.append,
    )


def tell(listener: Listener, event: str, **fields: object) -> None:
    """Send an event as Snakemake does."""
    record = logging.makeLogRecord({"event": event} | fields)
    listener.emit(record)


def begin(listener: Listener, number: int, rule: str, log: str = "") -> None:
    tell(listener, "job_started", jobs=[number])
    tell(
        listener,
        "job_info",
        jobid=number,
        rule_name=rule,
        wildcards={"number": number},
        log=[log],
    )


def test_time_left_follows_what_finished_jobs_took(
    listener: Listener, clock: list[float], lines: list[str]
) -> None:
    tell(listener, "run_info", stats={"simulate": 4, "train": 2, "total": 6})
    for number in range(4):
        begin(listener, number, "simulate")
        clock[0] += 40
        tell(listener, "job_finished", job_id=number)
    run = listener.run
    assert run is not None
    # twice as long as expected, one at a time: 2 × 2 × 100 s are left
    assert run.seconds_left(clock[0]) == pytest.approx(400)
    begin(listener, 4, "train")
    begin(listener, 5, "train")
    clock[0] += 150
    # of each, 50 s; until now 160 + 2 × 150 s of jobs ran in 310 s
    assert run.seconds_left(clock[0]) == pytest.approx(100 * 310 / 460)
    assert "4 of 6 jobs" in lines[-1]
    # 40, 80: at most once per minute
    assert len(lines) == 2


def test_rules_that_are_not_listed_cost_the_same_for_all_wildcards(
    tmp_path: Path, clock: list[float], lines: list[str]
) -> None:
    listener = Listener(
        path=tmp_path / "progress.json",
        expected=lambda rule, _: {"plot": 5.0}.get(rule, 20.0),
        all_jobs=lambda: iter([("simulate", {"shard": "0"})]),
        write_line=lines.append,
    )
    tell(listener, "run_info", stats={"simulate": 3, "plot": 2, "all": 1, "total": 6})
    begin(listener, 0, "plot")
    assert listener.run is not None
    expected = {rule: pace.expected for rule, pace in listener.run.rules.items()}
    assert expected == {"simulate": 60.0, "plot": 10.0}


def test_a_rule_has_a_speed_of_its_own_once_it_is_known() -> None:
    paces = {
        "simulate": RuleProgress(4, 80.0, 4, 80.0, took=80.0),
        "train": RuleProgress(2, 200.0, 1, 100.0, took=300.0),
        "plot": RuleProgress(1, 10.0),
    }
    run = Progress(0.0, paces)
    assert run.left("train", 0.0) == 300.0
    # rules that have not run are as fast as all others
    assert run.left("plot", 0.0) == pytest.approx(10 * 380 / 180)


def test_a_job_that_failed_may_be_tried_again(listener: Listener) -> None:
    tell(listener, "run_info", stats={"train": 2, "total": 2})
    begin(listener, 0, "train")
    tell(listener, "job_error", jobid=0)
    run = listener.run
    assert run is not None and list(run.failed) == [0]
    assert not run.running
    begin(listener, 0, "train")
    assert not run.failed
    tell(listener, "job_finished", job_id=0)
    assert (run.finished, run.planned, run.over) == (1, 2, False)


def test_a_dry_run_leaves_nothing(listener: Listener, lines: list[str]) -> None:
    tell(listener, "run_info", stats={"simulate": 1, "total": 1})
    tell(
        listener,
        "job_info",
        jobid=0,
        rule_name="simulate",
        wildcards={},
        log=[],
    )
    listener.close()
    assert not listener.path.exists()
    assert not lines


def test_a_disk_that_is_full_does_not_end_a_run(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise InfoscopeError("no space left")

    monkeypatch.setattr(Record, "write", refuse)
    tell(listener, "run_info", stats={"train": 1, "total": 1})
    begin(listener, 0, "train")
    listener.close()


def record_of(process: int, host: str, written: float, tmp_path: Path) -> Record:
    log = tmp_path / "train.log"
    log.write_text("2026-01-01 00:00:00,000 step 5/10  ETA 3 s\n")
    paces = {
        "simulate": RuleProgress(1, 20.0, 1, 20.0, 30.0),
        "train": RuleProgress(2, 200.0),
    }
    run = Progress(written - 100, paces)
    run.begin(1, Running("train", "0", str(log), written - 60, 100.0))
    run.begin(2, Running("train", "1", str(log), written - 60, 100.0))
    run.fail(2)
    return Record(host, process, written, run)


def test_status_of_a_run_that_lives(tmp_path: Path) -> None:
    record = record_of(os.getpid(), socket.gethostname(), 1e6, tmp_path)
    text = "\n".join(status.lines("toy", record, 1e6))
    assert "study toy has been running since 1970-01-12" in text
    assert f"process {os.getpid()}" in text
    assert "train 0 for 60 s: step 5/10  ETA 3 s" in text
    assert "failed: train 1" in text
    assert "progress: 1 of 3 jobs, 1 failed" in text
    total = next(line for line in text.splitlines() if line.startswith("total"))
    assert total.split()[1:5] == ["3", "1", "1", "1"]


def test_status_of_a_run_that_was_killed(tmp_path: Path) -> None:
    # no process has this number
    record = record_of(2**22 + 1, socket.gethostname(), 1e6, tmp_path)
    text = "\n".join(status.lines("toy", record, 1e6))
    assert "stopped at" in text and "the same command resumes it" in text
    assert "progress:" not in text


@pytest.mark.parametrize(("silent", "lives"), [(10, True), (3600, False)])
def test_a_run_elsewhere_lives_while_it_writes(
    silent: float, lives: bool, tmp_path: Path
) -> None:
    record = record_of(1, "elsewhere", 1e6, tmp_path)
    assert status.runs(record, 1e6 + silent) is lives


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = record_of(1, "here", 1e6, tmp_path)
    path = tmp_path / "progress.json"
    record.write(path)
    assert Record.read(path) == record
    path.write_text(path.read_text()[:-9])
    with pytest.raises(InfoscopeError, match=r"progress\.json: is damaged"):
        Record.read(path)


def test_a_study_that_never_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Path("config/studies/ci.yaml")
    monkeypatch.setattr(status, "file_of", lambda name: tmp_path / name)
    with pytest.raises(InfoscopeError, match="study ci has not been run here"):
        status.status(config)


def test_a_job_says_how_long_it_will_take(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("infoscope.test")
    with caplog.at_level(logging.INFO, log.name):
        for _ in log_progress(range(10), 10, "skies", log):
            clock[0] += 0.6 * eta.LOG_INTERVAL
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "2 of 10 skies, about 48 s left"
    assert lines[-1] == "10 of 10 skies, about 0 s left"
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (400, "7 min"), (7140, "1 h 59 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
