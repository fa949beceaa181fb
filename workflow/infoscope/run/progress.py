"""Progress of a run and the time that is left, from the events that Snakemake logs.

Progress is printed every few minutes, and written to a file that
`python -m infoscope status` reads.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infoscope.errors import InfoscopeError
from infoscope.eta import duration
from infoscope.files.atomic import atomic_path
from infoscope.run.config_snapshot import FOLDER

# Seconds between lines: at least, if jobs end, and at most, if no job ends.
SHORTEST_INTERVAL, LONGEST_INTERVAL = 60.0, 300.0
# Seconds between writes of the file: hundreds of jobs may end in a second.
FILE_INTERVAL = 1.0
# Expected seconds of finished jobs that are enough to measure the speed of a rule.
ENOUGH_SECONDS = 10.0


def file_of(study: str) -> Path:
    """Path of the progress file of the last run of a study."""
    return FOLDER / f"progress_{study}.json"


@dataclass
class Running:
    """A job that has started.

    Attributes
    ----------
    rule, name
        Its rule, and the values of its wildcards.
    log
        Path of its log.
    began
        Time when it started, or was submitted, in seconds since 1970.
    expected
        Expected seconds.
    """

    rule: str
    name: str
    log: str
    began: float
    expected: float


@dataclass
class RuleProgress:
    """Jobs of a rule: their number and times.

    Attributes
    ----------
    planned, finished
        Numbers of jobs of this run.
    expected
        Expected seconds of all of them.
    expected_of_finished, took
        Expected and measured seconds of the finished jobs.
    """

    planned: int
    expected: float
    finished: int = 0
    expected_of_finished: float = 0.0
    took: float = 0.0


@dataclass
class Progress:
    """A run of Snakemake.

    Attributes
    ----------
    began
        Time when its first job started.
    rules
        Progress of each rule, in the order of the work.
    running, failed
        Jobs by their numbers. A failed job may be tried again.
    """

    began: float
    rules: dict[str, RuleProgress] = field(default_factory=dict)
    running: dict[int, Running] = field(default_factory=dict)
    failed: dict[int, Running] = field(default_factory=dict)

    @property
    def planned(self) -> int:
        """Number of jobs of the run."""
        return sum(rule.planned for rule in self.rules.values())

    @property
    def finished(self) -> int:
        """Number of finished jobs."""
        return sum(rule.finished for rule in self.rules.values())

    @property
    def over(self) -> bool:
        """Whether no job is left."""
        return self.finished == self.planned

    def end(self, number: int, now: float) -> None:
        """Count a finished job."""
        if (job := self.running.pop(number, None)) is None:
            return
        rule = self.rules[job.rule]
        rule.finished += 1
        rule.expected_of_finished += job.expected
        rule.took += now - job.began

    def fail(self, number: int) -> None:
        """Count a failed job."""
        if (job := self.running.pop(number, None)) is not None:
            self.failed[number] = job

    def begin(self, number: int, job: Running) -> None:
        """Count a job that starts, perhaps after a failure."""
        self.failed.pop(number, None)
        self.running[number] = job

    def factor(self, rule: str) -> float:
        """Measured time / expected time of finished jobs, of the rule or of all."""
        for rules in ([self.rules[rule]], list(self.rules.values())):
            expected = sum(one.expected_of_finished for one in rules)
            if expected >= ENOUGH_SECONDS:
                return sum(one.took for one in rules) / expected
        return 1.0

    def left(self, rule: str, now: float) -> float:
        """Seconds that the remaining jobs of a rule will take."""
        jobs, factor = self.rules[rule], self.factor(rule)
        left = factor * max(0.0, jobs.expected - jobs.expected_of_finished)
        for job in self.running.values():
            if job.rule == rule:
                # a job that takes longer than expected counts as about to end
                left -= min(now - job.began, factor * job.expected)
        return max(0.0, left)

    def work(self, now: float) -> tuple[float, float]:
        """Seconds of jobs, done and left."""
        done = sum(rule.took for rule in self.rules.values())
        done += sum(now - job.began for job in self.running.values())
        return done, sum(self.left(rule, now) for rule in self.rules)

    def seconds_left(self, now: float) -> float | None:
        """Wall-clock seconds left if as many jobs run in parallel as so far."""
        done, left = self.work(now)
        if not done or now <= self.began:
            return None
        return left / (done / (now - self.began))

    def line(self, now: float, most: int = 4) -> str:
        """Describe the progress, and the `most` oldest of the running jobs."""
        done, left = self.work(now)
        parts = [f"{self.finished} of {self.planned} jobs"]
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if done + left:
            parts.append(f"{done / (done + left):.0%} of the work")
        if (seconds := self.seconds_left(now)) is not None:
            parts.append(f"about {duration(seconds)} left")
        jobs = sorted(self.running.values(), key=lambda job: job.began)
        lines = ["progress: " + ", ".join(parts)]
        lines += [f"    {description(job, now)}" for job in jobs[:most]]
        return "\n".join(lines)


def description(job: Running, now: float) -> str:
    """Name of a job, its running time, and the last line of its log."""
    text = f"{job.rule} {job.name}".strip() + f" for {duration(now - job.began)}"
    last = last_line(Path(job.log))
    return f"{text}: {last}" if last else text


def last_line(log: Path, size: int = 2000) -> str:
    """Return the last line of a log without its date, or "" if there is none."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        lines = file.read().decode(errors="replace").split("\n")
        for line in reversed(lines):
            if line.strip():
                # our log lines start with date and time
                words = line.split(maxsplit=2)
                return words[2] if len(words) > 2 and words[0][:2] == "20" else line
    return ""


@dataclass(frozen=True)
class Record:
    """Content of the progress file of a run.

    Attributes
    ----------
    host, process
        Machine and process of Snakemake.
    written
        Time of writing, in seconds since 1970.
    progress
        The run.
    """

    host: str
    process: int
    written: float
    progress: Progress

    def write(self, path: Path) -> None:
        """Write the file."""
        content = asdict(self)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content))

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read the file.

        Raises
        ------
        InfoscopeError
            If it is damaged.
        """
        try:
            content = json.loads(path.read_text())
            run = content.pop("progress")
            progress = Progress(
                began=run["began"],
                rules={
                    rule: RuleProgress(**jobs) for rule, jobs in run["rules"].items()
                },
                **{
                    state: {int(n): Running(**job) for n, job in run[state].items()}
                    for state in ("running", "failed")
                },
            )
            return cls(progress=progress, **content)
        except (ValueError, KeyError, TypeError) as error:
            raise InfoscopeError(
                f"{path}: is damaged ({error}); the next run writes it again"
            ) from None


class Listener(logging.Handler):
    """Follows the jobs of a run and reports them.

    Parameters
    ----------
    path
        Progress file of the run.
    expected
        Expected seconds of a job, from its rule and wildcards.
    all_jobs
        Rule and wildcards of the jobs that the study may have; local rules may be left
        out.
    write_line
        Function that prints a line.
    """

    def __init__(
        self,
        path: Path,
        expected: Callable[[str, Mapping[str, str]], float],
        all_jobs: Callable[[], Iterator[tuple[str, Mapping[str, str]]]],
        write_line: Callable[[str], Any],
    ) -> None:
        super().__init__(logging.INFO)
        self.path, self.expected, self.all_jobs = path, expected, all_jobs
        self.write_line = write_line
        self.stats: dict[str, int] = {}
        self.run: Progress | None = None
        self.began: dict[int, float] = {}
        self.printed = self.written = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Process an event of Snakemake."""
        event = str(getattr(record, "event", ""))
        fields = vars(record)
        now = time.time()
        if event == "run_info":
            self.stats = fields["stats"]
        elif event == "job_started":
            # a dry run starts no job
            if self.run is None:
                self.run = self._begin(now)
            self.began.update(dict.fromkeys(fields["jobs"], now))
        elif self.run is None:
            return
        elif event == "job_info":
            self._inform(self.run, fields, now)
        elif event == "job_finished":
            self.run.end(fields["job_id"], now)
            self._report(SHORTEST_INTERVAL)
        elif event == "job_error":
            self.run.fail(fields["jobid"])
            self._report(SHORTEST_INTERVAL)

    def _begin(self, now: float) -> Progress:
        seconds: dict[str, list[float]] = {}
        for rule, wildcards in self.all_jobs():
            if rule in self.stats:
                seconds.setdefault(rule, []).append(self.expected(rule, wildcards))
        rules = {}
        for rule, number in self.stats.items():
            if rule not in ("total", "all"):
                # of a rule that is not listed, all jobs cost the same
                costs = seconds.get(rule) or [self.expected(rule, {})]
                rules[rule] = RuleProgress(number, number * sum(costs) / len(costs))
        threading.Thread(target=self._tick, daemon=True).start()
        return Progress(now, rules)

    def _inform(self, run: Progress, fields: Mapping[str, Any], now: float) -> None:
        rule, number = fields["rule_name"], fields["jobid"]
        if rule not in run.rules:
            return
        wildcards = {name: str(value) for name, value in fields["wildcards"].items()}
        job = Running(
            rule=rule,
            name=" ".join(wildcards.values()),
            log=str(next(iter(fields["log"]), "")),
            began=self.began.get(number, now),
            expected=self.expected(rule, wildcards),
        )
        run.begin(number, job)

    def _tick(self) -> None:
        while True:
            time.sleep(LONGEST_INTERVAL / 10)
            with self.lock or contextlib.nullcontext():
                self._report(LONGEST_INTERVAL)

    def _report(self, interval: float) -> None:
        clock = time.monotonic()
        if clock - self.written > FILE_INTERVAL:
            self.written = clock
            self._write()
        if self.run is not None and clock - self.printed > interval:
            self.printed = clock
            self.write_line(self.run.line(time.time()))

    def _write(self) -> None:
        if self.run is not None:
            # a run must not fail because its progress cannot be written
            with contextlib.suppress(InfoscopeError):
                record = Record(
                    socket.gethostname(), os.getpid(), time.time(), self.run
                )
                record.write(self.path)

    def close(self) -> None:
        """Write the final state of the run."""
        self._write()
        super().close()
