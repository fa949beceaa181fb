"""Progress of a run while it lasts, and its status afterwards."""

from __future__ import annotations

import subprocess
import sys

from infoscope.run.progress import Record, file_of
from tests.workflow.conftest import Checkout


def test_status_of_a_finished_study(study: Checkout) -> None:
    (study.folder / "results/ci/figures/sky_map.pdf").unlink()
    text = study.snakemake("--cores", "1")
    assert study.returncode == 0, text
    path = study.folder / file_of("ci")
    before = path.stat().st_mtime_ns
    run = Record.read(path).progress
    assert run.over and not run.running and not run.failed
    (rule, jobs), *others = run.rules.items()
    assert rule == "plot_sky_map" and not others
    assert jobs.took > 0 and jobs.expected > 0
    text = subprocess.run(
        [sys.executable, "-m", "infoscope", "status", "study.yaml"],
        cwd=study.folder,
        env=study.environ | {"PYTHONPATH": "workflow"},
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert text.startswith("study ci finished at")
    # a dry run has no progress
    study.would_run()
    assert path.stat().st_mtime_ns == before
