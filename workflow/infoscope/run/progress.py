"""How far a run is, and how long it will take: a listener of Snakemake's log.

It adds a line to the log now and then, and keeps a file that
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

# A line follows a job that ends, but not more often than this; a run in which no job
# ends says that it lives.
SHORTEST_SILENCE, LONGEST_SILENCE = 60.0, 300.0
# The file is not written more often: a run may end hundreds of jobs a second.
FILE_EVERY = 1.0
# Seconds of finished jobs of a rule from which its speed is told.
TELLING = 10.0


def file_of(study: str) -> Path:
    """Path of the file of the last run of a study."""
    return FOLDER / f"progress_{study}.json"


@dataclass
class Running:
    """A job that has begun.

    Attributes
    ----------
    rule, name
        Its rule, and the values of its wildcards.
    log
        Its log.
    began
        When it began, or was submitted, in seconds since 1970.
    expected
        Seconds that it is expected to take.
    """

    rule: str
    name: str
    log: str
    began: float
    expected: float


@dataclass
class RuleProgress:
    """Jobs of a rule: how many there are, and how long they take.

    Attributes
    ----------
    planned, finished
        Numbers of jobs of this run.
    expected
        Seconds that all of them are expected to take.
    expected_of_finished, took
        Seconds that those which have finished were expected to take, and took.
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
        When its first job began.
    paces
        By rule, in the order of the work.
    running, failed
        Jobs by their numbers; what failed may be tried again.
    """

    began: float
    paces: dict[str, RuleProgress] = field(default_factory=dict)
    running: dict[int, Running] = field(default_factory=dict)
    failed: dict[int, Running] = field(default_factory=dict)

    @property
    def planned(self) -> int:
        """Jobs of the run."""
        return sum(pace.planned for pace in self.paces.values())

    @property
    def finished(self) -> int:
        """Jobs that have finished."""
        return sum(pace.finished for pace in self.paces.values())

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.finished == self.planned

    def end(self, number: int, now: float) -> None:
        """Count a job that has finished."""
        if (job := self.running.pop(number, None)) is None:
            return
        pace = self.paces[job.rule]
        pace.finished += 1
        pace.expected_of_finished += job.expected
        pace.took += now - job.began

    def fail(self, number: int) -> None:
        """Set a job aside that has failed."""
        if (job := self.running.pop(number, None)) is not None:
            self.failed[number] = job

    def begin(self, number: int, job: Running) -> None:
        """Count a job that begins, perhaps for the second time."""
        self.failed.pop(number, None)
        self.running[number] = job

    def level(self, rule: str) -> float:
        """How many times as long as expected jobs take: those of the rule, or all."""
        for paces in ([self.paces[rule]], list(self.paces.values())):
            expected = sum(pace.expected_of_finished for pace in paces)
            if expected >= TELLING:
                return sum(pace.took for pace in paces) / expected
        return 1.0

    def left(self, rule: str, now: float) -> float:
        """Seconds that jobs of a rule will take."""
        pace, level = self.paces[rule], self.level(rule)
        left = level * max(0.0, pace.expected - pace.expected_of_finished)
        for job in self.running.values():
            if job.rule == rule:
                # one that takes longer than expected is about to end
                left -= min(now - job.began, level * job.expected)
        return max(0.0, left)

    def work(self, now: float) -> tuple[float, float]:
        """Seconds of jobs that are done, and that are left."""
        done = sum(pace.took for pace in self.paces.values())
        done += sum(now - job.began for job in self.running.values())
        return done, sum(self.left(rule, now) for rule in self.paces)

    def seconds_left(self, now: float) -> float | None:
        """Seconds until all is done, if as many jobs run at a time as until now."""
        done, left = self.work(now)
        if not done or now <= self.began:
            return None
        return left / (done / (now - self.began))

    def line(self, now: float, most: int = 4) -> str:
        """Say how far the run is, and what the `most` longest of its jobs do."""
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
        lines += [f"    {said(job, now)}" for job in jobs[:most]]
        return "\n".join(lines)


def said(job: Running, now: float) -> str:
    """Name a job, how long it has run, and the last line of its log."""
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
                # date and time are the first two words of a line of ours
                words = line.split(maxsplit=2)
                return words[2] if len(words) > 2 and words[0][:2] == "20" else line
    return ""


@dataclass(frozen=True)
class Record:
    """What the file of a run says.

    Attributes
    ----------
    host, process
        Where Snakemake runs.
    written
        When, in seconds since 1970.
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
                paces={
                    rule: RuleProgress(**pace) for rule, pace in run["paces"].items()
                },
                **{
                    state: {int(n): Running(**job) for n, job in run[state].items()}
                    for state in ("running", "failed")
                },
            )
            return cls(progress=progress, **content)
        except (ValueError, KeyError, TypeError) as error:
            raise InfoscopeError(
                f"{path}: is damaged ({error}); the next run writes it anew"
            ) from None


class Listener(logging.Handler):
    """Follows the jobs of a run and reports them.

    Parameters
    ----------
    path
        File of the run.
    expected
        Seconds of a job, from its rule and its wildcards.
    all_jobs
        Rule and wildcards of the jobs that the study may have; local rules may be left
        out.
    say
        Called with each line.
    """

    def __init__(
        self,
        path: Path,
        expected: Callable[[str, Mapping[str, str]], float],
        all_jobs: Callable[[], Iterator[tuple[str, Mapping[str, str]]]],
        say: Callable[[str], Any],
    ) -> None:
        super().__init__(logging.INFO)
        self.path, self.expected, self.all_jobs = path, expected, all_jobs
        self.say = say
        self.stats: dict[str, int] = {}
        self.run: Progress | None = None
        self.began: dict[int, float] = {}
        self.said = self.wrote = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of an event of Snakemake's."""
        event = str(getattr(record, "event", ""))
        fields = vars(record)
        now = time.time()
        if event == "run_info":
            self.stats = fields["stats"]
        elif event == "job_started":
            # not in a dry run
            if self.run is None:
                self.run = self._begin(now)
            self.began.update(dict.fromkeys(fields["jobs"], now))
        elif self.run is None:
            return
        elif event == "job_info":
            self._inform(self.run, fields, now)
        elif event == "job_finished":
            self.run.end(fields["job_id"], now)
            self._tell(SHORTEST_SILENCE)
        elif event == "job_error":
            self.run.fail(fields["jobid"])
            self._tell(SHORTEST_SILENCE)

    def _begin(self, now: float) -> Progress:
        known: dict[str, list[float]] = {}
        for rule, wildcards in self.all_jobs():
            if rule in self.stats:
                known.setdefault(rule, []).append(self.expected(rule, wildcards))
        paces = {}
        for rule, number in self.stats.items():
            if rule not in ("total", "all"):
                # jobs of rules that are not listed cost the same, whatever they are
                costs = known.get(rule) or [self.expected(rule, {})]
                paces[rule] = RuleProgress(number, number * sum(costs) / len(costs))
        threading.Thread(target=self._tick, daemon=True).start()
        return Progress(now, paces)

    def _inform(self, run: Progress, fields: Mapping[str, Any], now: float) -> None:
        rule, number = fields["rule_name"], fields["jobid"]
        if rule not in run.paces:
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
            time.sleep(LONGEST_SILENCE / 10)
            with self.lock or contextlib.nullcontext():
                self._tell(LONGEST_SILENCE)

    def _tell(self, silence: float) -> None:
        clock = time.monotonic()
        if clock - self.wrote > FILE_EVERY:
            self.wrote = clock
            self._write()
        if self.run is not None and clock - self.said > silence:
            self.said = clock
            self.say(self.run.line(time.time()))

    def _write(self) -> None:
        if self.run is not None:
            # a run does not fail because nobody can be told how it goes
            with contextlib.suppress(InfoscopeError):
                record = Record(
                    socket.gethostname(), os.getpid(), time.time(), self.run
                )
                record.write(self.path)

    def close(self) -> None:
        """Write down how the run ended."""
        self._write()
        super().close()
