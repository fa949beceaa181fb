"""Command line: `python -m infoscope STAGE`, and `plan` and `status` for users.

Rules call stages. A stage is a module of `stages`, and its command follows from the
signature of its function `run`, see `files_of`. The figures are commands of the stage
`plot`, see `stages.plot`.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import logging
import os
import pkgutil
import sys
import threading
import time
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from infoscope import figures, stages
from infoscope.errors import InfoscopeError
from infoscope.files.atomic import alive

PLOT = "plot"
# every command has these
COMMON = ("spec", "output")


def stage_names() -> list[str]:
    """Names of the commands of rules: modules of `stages`, with dashes."""
    modules = pkgutil.iter_modules(stages.__path__)
    return [module.name.replace("_", "-") for module in modules]


def figure_names() -> list[str]:
    """Modules of `figures` that have a function `draw`."""
    (folder,) = map(Path, figures.__path__)
    return sorted(
        path.stem for path in folder.glob("*.py") if "\ndef draw(" in path.read_text()
    )


def function_of(stage: str, figure: str | None = None) -> Callable[..., Any]:
    """Import the function behind a command: `run` of a stage, or `draw` of a figure."""
    if figure is not None:
        return importlib.import_module(f"infoscope.figures.{figure}").draw
    module = importlib.import_module(f"infoscope.stages.{stage.replace('-', '_')}")
    return module.run


def files_of(function: Callable[..., Any]) -> dict[str, str | None]:
    """Files that a command takes besides its output, as `nargs` of argparse.

    They are the parameters of the function other than `spec` and `output`. A sequence
    is one or more files. With a default, there may be no file.
    """
    hints = typing.get_type_hints(function)
    found: dict[str, str | None] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in COMMON:
            continue
        optional = parameter.default is not inspect.Parameter.empty
        several = typing.get_origin(hints[name]) in (list, Sequence)
        found[name] = (
            ("*" if optional else "+") if several else "?" if optional else None
        )
    return found


def parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Command-line parser with a subcommand for each stage and figure.

    Parameters
    ----------
    arguments
        The command line. Of all stages and figures, only the one that it names is
        imported, and has its file arguments.
    """
    top = argparse.ArgumentParser(prog="infoscope", description=__doc__)
    commands = top.add_subparsers(dest="stage", required=True, metavar="STAGE")
    stage, figure = [*arguments, "", ""][:2]
    for name in stage_names():
        command = commands.add_parser(name)
        if name != stage:
            continue
        if name != PLOT:
            _add_files(command, function_of(name))
            continue
        drawings = command.add_subparsers(
            dest="figure", required=True, metavar="FIGURE"
        )
        for drawing in figure_names():
            one = drawings.add_parser(drawing)
            if drawing == figure:
                _add_files(one, function_of(name, drawing))
    add_plan(commands.add_parser("plan", help="estimate what a study costs"))
    status = commands.add_parser("status", help="show the progress of a study")
    status.add_argument("path", type=Path, metavar="CONFIG", help="the study")
    return top


def _add_files(command: argparse.ArgumentParser, function: Callable[..., Any]) -> None:
    command.add_argument("--spec", required=True, help="what to compute, as JSON")
    command.add_argument("--code", default="", help="digest of the code, recorded")
    for name, nargs in files_of(function).items():
        flag = "--" + name.replace("_", "-")
        required = nargs in (None, "+")
        command.add_argument(flag, type=Path, nargs=nargs, required=required)
    command.add_argument("--output", type=Path, required=True)


def add_plan(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `plan`."""
    command.add_argument("path", type=Path, metavar="CONFIG", help="the study")
    command.add_argument("--cores", type=number, default=1, help="available CPU cores")
    command.add_argument(
        "--gpus",
        type=number,
        default=0,
        help="available GPUs for training; without this option it runs on cores",
    )
    command.add_argument(
        "--measured",
        type=Path,
        metavar="CONFIG",
        help="a study that has run here, whose benchmarks replace the built-in rates",
    )


def number(text: str) -> int:
    """Read a number above 0."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an error of the user is one line and exit code 2."""
    if arguments is None:
        arguments = sys.argv[1:]
    options = parser(arguments).parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    # from libraries, warnings only
    logging.getLogger("infoscope").setLevel(logging.INFO)
    try:
        if options.stage == "plan":
            # stages do not need it
            from infoscope.run.plan import plan

            print(plan(options.path, options.cores, options.gpus, options.measured))
        elif options.stage == "status":
            from infoscope.run.status import status

            print(status(options.path))
        else:
            run_stage(options)
    except InfoscopeError as error:
        command = " ".join([options.stage, *filter(None, [_figure(options)])])
        print(f"infoscope {command}: {error}", file=sys.stderr)
        return 2
    return 0


def run_stage(options: argparse.Namespace) -> None:
    """Run a stage."""
    os.environ["INFOSCOPE_CODE"] = options.code
    snakemake = int(os.environ.get("INFOSCOPE_SNAKEMAKE") or 0)
    # a job in a container cannot see it
    if snakemake and alive(snakemake):
        threading.Thread(target=_end_with, args=[snakemake], daemon=True).start()
    spec, output = json.loads(options.spec), options.output
    figure = _figure(options)
    names = files_of(function_of(options.stage, figure))
    given = {name: getattr(options, name) for name in names}
    files = {name: value for name, value in given.items() if value is not None}
    run = function_of(options.stage)
    if figure is None:
        run(spec, **files, output=output)
    else:
        run(spec, figure, files, output)


def _figure(options: argparse.Namespace) -> str | None:
    """Name of the figure, if the stage draws one."""
    return getattr(options, "figure", None)


def _end_with(process: int) -> None:
    """End this process when another one has ended.

    Snakemake that is killed leaves its jobs running. They would compete for memory and
    GPUs with those of the next run, and overwrite results of a config that was edited.
    """
    while alive(process):
        time.sleep(1)
    print(f"infoscope: Snakemake (process {process}) is gone", file=sys.stderr)
    os._exit(1)
