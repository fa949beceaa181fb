"""Show the progress of a study: `python -m infoscope status`."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

from infoscope.errors import InfoscopeError
from infoscope.eta import duration
from infoscope.files.atomic import alive
from infoscope.run.plan import aligned, read
from infoscope.run.progress import Progress, Record, file_of, last_line

# A run on another machine that has not written its file for so long has stopped.
SILENT_SECONDS = 180.0
HEADINGS = ("rule", "jobs", "finished", "running", "failed", "took", "left")


def status(path: Path) -> str:
    """Describe the progress of the last run of a study.

    Parameters
    ----------
    path
        Its config.

    Raises
    ------
    InfoscopeError
        If the config is invalid, or the study has not been run.
    """
    name = read(path).study.study
    file = file_of(name)
    if not file.exists():
        raise InfoscopeError(f"study {name} has not been run here: there is no {file}")
    return "\n".join(lines(name, Record.read(file), time.time()))


def lines(name: str, record: Record, now: float) -> Iterator[str]:
    """Yield lines about the last run of a study.

    Parameters
    ----------
    name
        Name of the study.
    record
        Content of its progress file.
    now
        Current time, in seconds since 1970.
    """
    run = record.progress
    lives = runs(record, now) and not run.over
    seen = now if lives else record.written
    if lives:
        state = f"has been running since {_clock(run.began)} (process {record.process}"
        state += f" on {record.host})"
    elif run.over:
        state = f"finished at {_clock(record.written)}"
    else:
        state = f"stopped at {_clock(record.written)}; the same command resumes it"
    yield f"study {name} {state}"
    yield ""
    yield from aligned(list(_cells(run, seen)))
    yield ""
    if lives:
        yield run.line(seen, len(run.running))
    for job in run.failed.values():
        last = last_line(Path(job.log)) or "no message"
        yield f"failed: {job.rule} {job.name} ({job.log}): {last}"


def runs(record: Record, now: float) -> bool:
    """Whether the Snakemake process that wrote a file still runs."""
    if record.host == socket.gethostname():
        return alive(record.process)
    return now - record.written < SILENT_SECONDS


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _cells(run: Progress, now: float) -> Iterator[tuple[str, ...]]:
    yield HEADINGS
    for rule, jobs in run.rules.items():
        running = [job for job in run.running.values() if job.rule == rule]
        failed = [job for job in run.failed.values() if job.rule == rule]
        yield (
            rule,
            f"{jobs.planned:,}",
            f"{jobs.finished:,}",
            f"{len(running):,}",
            f"{len(failed):,}",
            duration(jobs.took),
            duration(run.left(rule, now)),
        )
    done, left = run.work(now)
    yield (
        "total",
        f"{run.planned:,}",
        f"{run.finished:,}",
        f"{len(run.running):,}",
        f"{len(run.failed):,}",
        duration(done),
        duration(left),
    )
