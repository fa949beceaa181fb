"""Command line: `python -m infoscope STAGE`, one a rule, and `plan` and `status`."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from infoscope.errors import InfoscopeError
from infoscope.files.atomic import alive

# stage -> module and function, and the files that it takes besides --output
STAGES: dict[str, tuple[str, str, dict[str, str | None]]] = {
    "tabulate-nz": ("nz", "run", {"sources": "*"}),
    "tabulate-matter": ("matter", "run", {}),
    "simulate": ("simulate", "run", {"nz_file": None, "matter": None}),
    "index-cosmogrid": ("index_cosmogrid", "run", {"root": None}),
    "read-cosmogrid": ("read_cosmogrid", "run", {"nz_file": None, "index": None}),
    "degrade": ("degrade", "run", {"skies": None, "operation_files": "*"}),
    "collect": ("collect", "run", {"shards": "+", "example": None}),
    "train": ("train", "run", {"dataset": None}),
    "infer": ("infer", "run", {"summaries": "+"}),
    "export-chain": ("chains", "run", {"posterior": None}),
    "widths": ("widths", "run", {"posteriors": "+"}),
    "attribute": ("attribute", "run", {"dataset": None, "weights": "+"}),
    "compare-attribution": (
        "compare_attribution",
        "run",
        {"attribution": None, "widths": None},
    ),
    "claims": ("claims", "run", {"posteriors": "+", "benchmarks": None}),
    "summarise": (
        "summarise",
        "run",
        {
            "widths": None,
            "diagnostics": None,
            "fisher": None,
            "pairs": None,
            "claims": "*",
            "benchmarks": None,
        },
    ),
    "learning-curves": ("learning_curves", "run", {"reduced": "+", "whole": "+"}),
    "fisher": ("fisher", "run", {"nz_file": None}),
    "scales": ("scales", "run", {"nz_file": None}),
    "validate": ("validate", "run", {"skies": "+", "nz_file": None}),
    "plot-widths": ("plot_ratios", "run_widths", {"table": None, "fisher": None}),
    "plot-scales": ("plot_ratios", "run_scales", {"table": None, "scales": None}),
    "plot-kappa-ranges": ("plot_ratios", "run_kappa_ranges", {"table": None}),
    "plot-claims": ("plot_ratios", "run_claims", {"table": None, "diagnostics": None}),
    "plot-triangle": ("plot", "run_triangle", {"chains": "+"}),
    "plot-calibration": ("plot", "run_calibration", {"posteriors": "+"}),
    "plot-tiles": ("plot", "run_tiles", {"examples": "+"}),
    "plot-history": ("plot", "run_history", {"histories": "+"}),
    "plot-learning-curves": ("plot", "run_learning_curves", {"table": None}),
    "plot-attribution": (
        "plot_attribution",
        "run",
        {"shares": None, "agreement": None},
    ),
    "plot-skies": ("plot_skies", "run", {"bands": None}),
    "plot-sky-map": ("plot_skies", "run_map", {"skies": None}),
}


def parser() -> argparse.ArgumentParser:
    """Command-line parser with one subcommand a stage."""
    top = argparse.ArgumentParser(prog="infoscope", description=__doc__)
    commands = top.add_subparsers(dest="stage", required=True)
    for stage, (_, _, files) in STAGES.items():
        command = commands.add_parser(stage)
        command.add_argument("--spec", required=True, help="what to compute, as JSON")
        command.add_argument("--code", default="", help="digest of the code, recorded")
        for name, nargs in files.items():
            flag = "--" + name.replace("_", "-")
            command.add_argument(flag, type=Path, nargs=nargs, required=True)
        command.add_argument("--output", type=Path, required=True)
    add_plan(commands.add_parser("plan", help="what a study costs"))
    where = commands.add_parser("status", help="where a study is")
    where.add_argument("path", type=Path, metavar="CONFIG", help="the study")
    return top


def add_plan(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `plan`, which is no rule: a user calls it."""
    command.add_argument("path", type=Path, metavar="CONFIG", help="the study")
    command.add_argument("--cores", type=number, default=1, help="how many there are")
    command.add_argument(
        "--gpus", type=number, default=0, help="for trainings; none: on cores"
    )
    command.add_argument(
        "--measured",
        type=Path,
        metavar="CONFIG",
        help="a study that has run here: its benchmarks say how fast jobs are",
    )


def number(text: str) -> int:
    """Read a number above 0."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a stage; a mistake of the user is one line and exit code 2."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    # libraries only when something is wrong
    logging.getLogger("infoscope").setLevel(logging.INFO)
    try:
        if options.stage == "plan":
            # stages do without
            from infoscope.run.plan import plan

            print(plan(options.path, options.cores, options.gpus, options.measured))
        elif options.stage == "status":
            from infoscope.run.status import status

            print(status(options.path))
        else:
            run_stage(options)
    except InfoscopeError as error:
        print(f"infoscope {options.stage}: {error}", file=sys.stderr)
        return 2
    return 0


def run_stage(options: argparse.Namespace) -> None:
    """Run a stage."""
    module, function, files = STAGES[options.stage]
    os.environ["INFOSCOPE_CODE"] = options.code
    snakemake = int(os.environ.get("INFOSCOPE_SNAKEMAKE") or 0)
    # in a container of its own, a job may not see it
    if snakemake and alive(snakemake):
        threading.Thread(target=_end_with, args=[snakemake], daemon=True).start()
    run = getattr(importlib.import_module(f"infoscope.stages.{module}"), function)
    run(
        json.loads(options.spec),
        **{name: getattr(options, name) for name in files},
        output=options.output,
    )


def _end_with(process: int) -> None:
    """End this process when another one has ended.

    Snakemake that is killed leaves its jobs running. They would compete for memory and
    GPUs with those of the next run, and overwrite results of a config that was edited.
    """
    while alive(process):
        time.sleep(1)
    print(f"infoscope: Snakemake (process {process}) is gone", file=sys.stderr)
    os._exit(1)
