"""What a run tells about itself while it lasts, and afterwards."""

from __future__ import annotations

import subprocess
import sys

from infoscope.progress import Record, file_of
from tests.workflow.conftest import Checkout


def test_status_of_a_finished_study(finished: Checkout) -> None:
    path = finished.folder / file_of("ci")
    before = path.stat().st_mtime_ns
    run = Record.read(path).progress
    assert run.over and not run.running and not run.failed
    assert {rule for rule, pace in run.paces.items() if not pace.took} == set()
    # every rule has a cost, from which its time is told
    assert {rule for rule, pace in run.paces.items() if not pace.expected} == set()
    text = subprocess.run(
        [sys.executable, "-m", "infoscope", "status", "study.yaml"],
        cwd=finished.folder,
        env=finished.environ | {"PYTHONPATH": "workflow"},
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert text.startswith("study ci finished at")
    finished.would_run()
    assert path.stat().st_mtime_ns == before
