"""Time and memory of a dry run of a large study, and the part due to Snakemake.

    python benchmarks/scale.py [degradations cosmologies shard_size]

Prints CPU seconds, which other programs on the machine affect less than elapsed time.
`parse` is the time to read the Snakefile and the config, which each job on a cluster
repeats.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FILTERS = ("lowpass", "highpass", "bandpass", "bandstop")


def large_study(
    n_degradations: int = 200, n_cosmologies: int = 2000, shard_size: int = 256
) -> dict[str, Any]:
    """Make a study of filters, with three training runs of two estimators for each."""
    degradations: dict[str, Any] = {"reference": {"operations": []}}
    for i in range(n_degradations - 1):
        name, low = FILTERS[i % len(FILTERS)], 8 + i / 4
        scale = [low, 2 * low] if name.startswith("band") else low
        operations = [{"operation": name, "scale_mpc_h": scale}]
        degradations[f"{name}_{i:03d}"] = {"operations": operations}
    tenth = n_cosmologies // 10
    return {
        "study": "large",
        "survey": {"nside": 512, "patch": {"pixels": 256}},
        "grid": {
            "train": {"cosmologies": n_cosmologies - 3 * tenth, "skies": 4},
            "validation": {"cosmologies": tenth, "skies": 1},
            "test": {"cosmologies": 2 * tenth, "skies": 1},
            "shard_size": shard_size,
        },
        "degradations": degradations,
        "estimators": {
            "cnn": {"kind": "cnn", "stem": 8},
            "power_spectrum": {"kind": "power_spectrum", "n_ell": 16},
        },
        "training": {"seeds": 3},
    }


def measured(command: list[str]) -> tuple[float, float, str]:
    """Seconds of CPUs of a command, its memory in MB, and what it prints."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        output.seek(0)
        text = output.read()
    if status:
        raise SystemExit(text)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3, text


def main(*sizes: int) -> None:
    """Print two lines."""
    study = large_study(*sizes)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(study, file, sort_keys=False)
        file.flush()
        snakemake = [sys.executable, "-m", "snakemake", "--configfile", file.name]
        parse, _, _ = measured([*snakemake, "--list-rules"])
        whole, memory, text = measured([*snakemake, "--dry-run", "--cores", "1"])
    total = next(line for line in text.splitlines() if line.startswith("total"))
    jobs = int(total.split()[1])
    print(f"{jobs} jobs: {whole:.1f} s, {memory:.0f} MB")
    print(f"parse {parse:.1f} s, then {1e3 * (whole - parse) / jobs:.1f} ms a job")


if __name__ == "__main__":
    main(*(int(size) for size in sys.argv[1:]))
