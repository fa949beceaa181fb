"""Installation of conda for tests, made of packages of the package index."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")

CONDA = """\
#!{python}
import logging
import sys

# conda 24.7.1 knows Python up to 3.12
if not hasattr(logging, "_acquireLock"):
    logging._acquireLock = logging._lock.acquire
    logging._releaseLock = logging._lock.release

from conda.cli import main

# processes that conda starts import this file
if __name__ == "__main__":
    sys.exit(main())
"""
# Installers of conda write bin/activate, which Snakemake sources before every job
ACTIVATE = 'eval "$("{conda}" shell.posix activate "$@")"\n'
CONDARC = """\
channel_priority: strict
solver: classic
sat_solver: pysat
default_channels: []
custom_channels:
  conda-forge: file://{channels}
notify_outdated_conda: false
# Python of the channel has no pip
add_pip_as_python_dependency: false
"""


def install(prefix: Path, channel: Path) -> Path:
    """Install a conda whose only channel is the folder `conda-forge`.

    Parameters
    ----------
    prefix
        Folder of the base environment, which is created. It must have no spaces,
        because Snakemake does not quote it.
    channel
        The folder `conda-forge`.

    Returns
    -------
        Folder with the command `conda`, for PATH.
    """
    venv.create(prefix, with_pip=True, symlinks=True)
    python = prefix / "bin/python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "--requirement", REQUIREMENTS], check=True)

    # taken from the package that contains it, whose own imports would fail
    version = "{}.{}".format(*sys.version_info)
    packages = prefix / f"lib/python{version}/site-packages"
    shutil.move(packages / "conda_lock/_vendor/conda", packages / "conda")
    for module in (packages / "conda").rglob("*.py"):
        text = module.read_text()
        if "conda_lock._vendor.conda" in text:
            module.write_text(text.replace("conda_lock._vendor.conda", "conda"))
    # its entry points are plugins of conda
    subprocess.run(
        [python, "-m", "pip", "uninstall", "--quiet", "--yes", "conda-lock"],
        check=True,
    )

    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta/history").touch()
    (prefix / ".condarc").write_text(CONDARC.format(channels=channel.parent))
    command = prefix / "condabin/conda"
    command.parent.mkdir()
    command.write_text(CONDA.format(python=python))
    command.chmod(0o755)
    (prefix / "bin/activate").write_text(ACTIVATE.format(conda=command))
    return command.parent
