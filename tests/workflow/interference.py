"""Make jobs wait or die at a given place."""

from __future__ import annotations

import sys
import time
from pathlib import Path

# Replaces `python`: runs the command, or once what is planned for a stage.
PYTHON = """#!{python}
import os, sys
from pathlib import Path

folder, arguments = Path(__file__).parent, sys.argv[1:]
if arguments[:2] == ["-m", "infoscope"]:
    stage = arguments[2]
    if stage == "plot":
        stage += f"-{{arguments[3]}}"
    plan = folder / f"{{stage}}.plan"
    if plan.exists():
        what, at = plan.read_text().split()
        plan.rename(folder / f"{{stage}}.met")
        launcher = str(folder / "launcher.py")
        arguments = [launcher, stage, what, at, *arguments[2:]]
os.execv(sys.executable, [sys.executable, *arguments])
"""
# The command line, up to where the n-th file of the job is complete but not renamed.
LAUNCHER = """
import os, signal, sys, time
from pathlib import Path
from infoscope import cli

_, stage, what, at, *arguments = sys.argv
folder, rename, files = Path(__file__).parent, Path.replace, []

def replace(self, target):
    if self.suffix == ".part":
        files.append(self)
        if len(files) == int(at):
            (folder / f"{stage}.reached").write_text(str(os.getpid()))
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            while not (folder / "go").exists():
                time.sleep(0.05)
    return rename(self, target)

Path.replace = replace
sys.exit(cli.main(arguments))
"""


class Interference:
    """Plans for jobs, which wait or are killed.

    Parameters
    ----------
    folder
        Folder of a command `python`, which jobs find before the real one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "launcher.py").write_text(LAUNCHER)
        (folder / "python").write_text(PYTHON.format(python=sys.executable))
        (folder / "python").chmod(0o755)

    def plan(self, what: str, stage: str, at: int = 1) -> None:
        """Let the first job of a stage `wait` for `go`, or `kill` it, at a file."""
        (self.folder / f"{stage}.plan").write_text(f"{what} {at}")

    def reached(self) -> dict[str, int]:
        """Return the processes that have reached the place where they wait or die."""
        return {
            path.stem: int(path.read_text() or 0)
            for path in self.folder.glob("*.reached")
        }

    def wait_for(self, stage: str) -> int:
        """Wait until a job has reached the place where it waits or dies."""
        end = time.monotonic() + 300
        while stage not in (found := self.reached()):
            assert time.monotonic() < end, f"{stage} does not come to its file"
            time.sleep(0.05)
        return found[stage]

    def go(self) -> None:
        """Let waiting jobs continue."""
        (self.folder / "go").touch()
