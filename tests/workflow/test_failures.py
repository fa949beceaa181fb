"""After any failure, one command completes the study with the same results."""

from __future__ import annotations

import copy
import os
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from infoscope.files.atomic import alive

from .conftest import ROOT, Checkout, contents
from .interference import Interference

pytestmark = pytest.mark.slow

# number of the file at which a stage is killed: the last but one, if it has several
STAGES = {
    "tabulate-nz": 1, "tabulate-matter": 1, "simulate-skies": 1, "degrade-maps": 1,
    "collect-dataset": 1, "train-estimator": 3, "infer-posterior": 1,
    "export-chain": 3, "measure-widths": 2, "measure-claims": 2, "forecast-fisher": 1,
    "summarise-study": 5, "validate-skies": 2,
    "plot-widths": 2, "plot-triangle": 2, "plot-calibration": 2,
    "plot-tiles": 2, "plot-history": 2, "plot-skies": 2, "plot-sky_map": 2,
}  # fmt: skip
# makes all times equal, so that no file is newer than another
ONE_TIME = "find results -type f -exec touch -t 202001010000 {} +"


@pytest.fixture
def interference(study: Checkout, tmp_path: Path) -> Interference:
    """Return plans for the jobs of the study."""
    interference = Interference(tmp_path / "interference")
    study.search_first(interference.folder)
    return interference


def delete(study: Checkout, *names: str) -> list[str]:
    """Delete results, and return them as targets."""
    for name in names:
        (study.folder / "results/ci" / name).unlink()
    return [f"results/ci/{name}" for name in names]


def damage(path: Path, data: str) -> None:
    """Flip a bit of a text, or of each chunk of a data set, and keep the time."""
    before, places = path.stat(), [1000]
    if data:
        with h5py.File(path) as file:
            chunks = file[data].id
            places = [
                chunks.get_chunk_info(i).byte_offset
                for i in range(chunks.get_num_chunks())
            ]
    content = bytearray(path.read_bytes())
    for place in places:
        content[place] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# the pages of the report contain costs of rules
RECORDS = ("logs", "benchmarks", "figures", "report")


def results(study: Checkout) -> dict[str, object]:
    """Return all results by name, without figures and records of the run."""
    folder = study.folder / "results/ci"
    return {
        str(path.relative_to(folder)): (
            contents(path) if path.suffix == ".h5" else path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.relative_to(folder).parts[0] not in RECORDS
        # claims on costs depend on benchmarks
        and path.name != "claims.csv"
        and path.suffix != ".part"
    }


def leftovers(study: Checkout) -> list[Path]:
    return list((study.folder / "results").rglob("*.part"))


def finished_jobs(text: str) -> Counter[str]:
    return Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", text, re.M))


@pytest.mark.system
def test_snakemake_is_killed_in_every_stage(
    finished: Checkout, study: Checkout, tmp_path: Path
) -> None:
    """Started again until it is complete, the study repeats no finished job."""
    small = copy.deepcopy(finished.config)
    del small["degradations"]["shuffle_pixels"], small["estimators"]["cnn"]
    small["claims"] = small["claims"][1:]
    text = study.snakemake("--cores", "2", config=small)
    assert study.returncode == 0, text

    killed = Checkout(tmp_path / "killed")
    interference = Interference(tmp_path / "interference")
    killed.search_first(interference.folder)
    for stage, file in STAGES.items():
        interference.plan("wait", stage, file)
    log, done, met = tmp_path / "log", Counter[str](), set[str]()
    while True:
        with (
            log.open("w") as output,
            killed.start("--cores", "2", config=small, stdout=output) as snakemake,
        ):
            waiting = wait_until_all_wait(snakemake, log, interference, met)
            snakemake.kill()
        done += finished_jobs(log.read_text())
        if not waiting:
            break
        first, met = not met, met | set(waiting)
        # jobs of a killed Snakemake do not run beside those of the next one
        until = time.monotonic() + 30
        while any(map(alive, waiting.values())):
            assert time.monotonic() < until, waiting
            time.sleep(0.1)
        if first:
            text = killed.snakemake("--cores", "2", config=small)
            assert killed.returncode and "caused by a kill signal" in text, text
            text = killed.snakemake("--unlock", config=small)
            assert killed.returncode == 0, text
        else:
            # equivalent to --unlock, but faster
            shutil.rmtree(killed.folder / ".snakemake/locks")
    assert snakemake.returncode == 0, log.read_text()
    assert met == set(STAGES)
    # a new study has the same number of jobs
    fresh = Checkout(tmp_path / "fresh").would_run(small)
    del done["all"]
    assert done == fresh
    assert killed.would_run(small) == {}
    assert not leftovers(killed)
    one, other = results(killed), results(study)
    for name, content in one.items():
        assert content == other[name], name
    assert {"widths.csv", "matter.h5", "datasets/reference.h5"} <= set(one)


def wait_until_all_wait(
    snakemake: subprocess.Popen[str],
    log: Path,
    interference: Interference,
    before: set[str],
) -> dict[str, int]:
    """Wait for all running jobs to reach their place, and return their processes."""
    since = time.monotonic()
    seen: tuple[int, ...] = ()
    while snakemake.poll() is None:
        text = log.read_text()
        started = len(re.findall(r"^(?:local)?rule (?!all)\w+:$", text, re.M))
        done = finished_jobs(text).total()
        waiting = {
            stage: process
            for stage, process in interference.reached().items()
            if stage not in before
        }
        if (now := (started, done, len(waiting))) != seen:
            seen, since = now, time.monotonic()
        quiet = time.monotonic() - since
        # both cores are in use, or no other job can start
        if waiting and started - done == len(waiting) and quiet > 2 / len(waiting) ** 2:
            return waiting
        assert quiet < 300, text
        time.sleep(0.05)
    return {}


@pytest.mark.system
def test_a_killed_job_is_reported_and_done_again(
    study: Checkout, interference: Interference
) -> None:
    """Other jobs continue; with --retries the job is repeated at once."""
    summaries = "training/reference/power_spectrum/seed_0/summaries.h5"
    before = results(study)
    targets = delete(study, summaries, "fisher.csv")
    interference.plan("kill", "train-estimator", 3)
    text = study.snakemake("--cores", "2", *targets)
    assert study.returncode == 1
    assert "Error in rule train_estimator" in text
    log = "results/ci/logs/train_estimator/reference_power_spectrum_0.log"
    assert f"log: {log}" in text
    assert finished_jobs(text) == {"forecast_fisher": 1}
    assert not (study.folder / targets[0]).exists()

    interference.plan("kill", "infer-posterior", 1)
    targets = delete(study, "posteriors/reference/power_spectrum.h5")
    text = study.snakemake("--cores", "2", "--retries", "1", *targets)
    assert study.returncode == 0, text
    assert "Trying to restart job" in text
    assert set(interference.reached()) == {"train-estimator", "infer-posterior"}
    done = finished_jobs(text)
    assert done == {"train_estimator": 1, "infer_posterior": 1}
    assert results(study) == before and not leftovers(study)


def test_a_full_disk(study: Checkout, mount: Callable[..., None]) -> None:
    before = results(study)["skies/fiducial/0000.h5"]
    target = "skies/fiducial/0000.h5"
    targets = delete(study, target)
    disk = (study.folder / targets[0]).parent
    mount(disk, "-t", "tmpfs", "-o", "size=100k", "tmpfs")
    # Snakemake removes empty folders, and this one is not empty
    (disk / "kept").touch()
    text = study.snakemake("--cores", "1", *targets)
    assert study.returncode == 1
    (line,) = (line for line in text.splitlines() if "No space left" in line)
    assert line.strip() == (
        f"infoscope simulate-skies: {targets[0]}: cannot be written (No space left on "
        "device): free disk space and run again"
    )
    assert "Traceback" not in text
    assert [path.name for path in disk.iterdir()] == ["kept"]
    mount(disk, "-o", "remount,size=10m")
    text = study.snakemake("--cores", "1", *targets)
    assert study.returncode == 0, text
    assert contents(study.folder / targets[0]) == before


def test_damaged_inputs_are_named(study: Checkout) -> None:
    """Damaged files of several kinds are made again after they are deleted."""
    folder, before = study.folder / "results/ci", results(study)
    summaries = "training/reference/power_spectrum/seed_0/summaries.h5"
    needed_by = {
        ("nz.txt", ""): "fisher.csv",
        ("skies/fiducial/0000.h5", "full_sky"): "figures/sky_map.png",
        # a shard is read through the data set that refers to it
        ("datasets/reference/test/0001.h5", "tiles"): summaries,
        ("training/shuffle_pixels/cnn/seed_0/summaries.h5", "test/theta"): (
            "posteriors/shuffle_pixels/cnn.h5"
        ),
        ("posteriors/reference/cnn.h5", "samples"): "chains/reference/cnn.1.txt",
    }
    targets = delete(study, *needed_by.values())
    for name, data in needed_by:
        damage(folder / name, data)
    text = study.snakemake("--cores", "2", *targets)
    assert study.returncode == 1 and "Traceback" not in text, text
    assert not finished_jobs(text)
    for name, _ in needed_by:
        named = [
            line
            for line in text.splitlines()
            if line.strip().startswith("infoscope ") and name in line
        ]
        assert len(named) == 1 and "delete it and run again" in named[0], text
    assert not any((study.folder / target).exists() for target in targets)
    assert not leftovers(study)

    delete(study, "datasets/reference/test/0001.h5")
    text = study.snakemake("--cores", "2", f"results/ci/{summaries}")
    assert study.returncode == 0, text
    assert finished_jobs(text) == {
        "degrade_maps": 1, "collect_dataset": 1, "train_estimator": 1,
    }  # fmt: skip
    assert contents(folder / summaries) == before[summaries]

    # patches are read for each degradation
    targets = delete(study, "datasets/reference/test/0000.h5")
    damage(folder / "skies/test/0000.h5", "kappa")
    text = study.snakemake("--cores", "1", *targets)
    assert study.returncode == 1 and "Traceback" not in text, text
    start = "infoscope degrade-maps: results/ci/skies/test/0000.h5: "
    (line,) = (line for line in text.splitlines() if line.strip().startswith(start))
    assert "delete it and run again" in line


def test_constants_that_cannot_be_fitted(study: Checkout) -> None:
    """One line names the key before any training run starts; others continue."""
    summaries = "training/reference/power_spectrum/seed_0/summaries.h5"
    targets = delete(study, summaries)
    config = copy.deepcopy(study.config)
    nothing = {"operation": "keep_convergence", "ranges": [[9, None]], "by": "kappa"}
    config["degradations"]["nothing"] = {"operations": [nothing]}
    text = study.snakemake(
        "--cores", "1", *targets, "results/ci/posteriors/nothing/cnn.h5", config=config
    )
    assert study.returncode == 1
    error = "infoscope fit-constants: "
    (line,) = (line for line in text.splitlines() if line.strip().startswith(error))
    assert "ranges: [(9.0, None)] (kappa) contain no pixel of bin 1" in line
    assert "Traceback" not in text
    before, _, after = text.partition("Error in rule fit_constants")
    assert "rule train_estimator:" not in before
    assert "rule train_estimator:" in after
    assert finished_jobs(text) == {"train_estimator": 1}
    assert not (study.folder / "results/ci/constants/nothing.json").exists()


def test_all_data_have_checksums(finished: Checkout) -> None:
    files = list((finished.folder / "results").rglob("*.h5"))
    assert len(files) > 20
    for path in files:
        with h5py.File(path) as file:
            assert file.id.get_create_plist().get_version()[0] >= 2
            assert "checksum" in file.attrs
            unchecked: list[str] = []
            file.visititems(
                lambda name, item, unchecked=unchecked: (
                    unchecked.append(name)
                    if isinstance(item, h5py.Dataset)
                    and not (item.is_virtual or item.fletcher32 or item.size == 0)
                    else None
                )
            )
        assert unchecked == [], path


def test_a_second_snakemake_is_refused(
    study: Checkout, interference: Interference
) -> None:
    """With --nolock both do the same work without harm."""
    before = results(study)
    targets = delete(study, "fisher.csv")
    interference.plan("wait", "forecast-fisher")
    log = study.folder / "log"
    with log.open("w") as output:
        first = study.start("--cores", "1", *targets, stdout=output)
        process = interference.wait_for("forecast-fisher")
        text = study.snakemake("--cores", "1", *targets)
        assert study.returncode == 1
        assert "no other Snakemake process is trying to create the same files" in text
        assert "rule forecast_fisher" not in text
        text = study.snakemake("--cores", "1", "--nolock", *targets)
        assert study.returncode == 0, text
        assert results(study) == before
        # files that the first one is writing are not removed
        assert alive(process) and len(leftovers(study)) == 1
        interference.go()
        assert first.wait(60) == 0, log.read_text()
    assert results(study) == before and not leftovers(study)


def test_results_that_cannot_be_written(
    tmp_path: Path, mount: Callable[..., None]
) -> None:
    checkout = Checkout(tmp_path / "checkout")
    mount(checkout.folder / "results", "-t", "tmpfs", "-o", "ro", "tmpfs")
    text = checkout.snakemake("--cores", "1")
    assert checkout.returncode == 1
    (line,) = (line for line in text.splitlines() if "cannot be written" in line)
    assert line.startswith(f"{checkout.folder / 'results'}: cannot be written")
    assert "Traceback" not in text and "rule tabulate_nz:" not in text


def shuffled_otherwise(study: Checkout) -> dict[str, object]:
    config = copy.deepcopy(study.config)
    operation = config["degradations"]["shuffle_pixels"]["operations"][0]
    operation["across_bins"] = "independent"
    return config


def test_config_that_is_edited_while_running(
    study: Checkout, interference: Interference
) -> None:
    """The run continues with its initial config, and the next run uses the new one."""
    before = results(study)
    shard = "datasets/shuffle_pixels/fiducial/0000.h5"
    targets = delete(study, shard, "posteriors/shuffle_pixels/power_spectrum.h5")
    edited = shuffled_otherwise(study)
    again = study.would_run(edited)
    interference.plan("wait", "degrade-maps")
    with (study.folder / "log").open("w") as output:
        first = study.start("--cores", "1", *targets, stdout=output)
        interference.wait_for("degrade-maps")
        # a dry run is allowed meanwhile, and writes the new config to the file
        study.would_run(edited)
        interference.go()
        assert first.wait(300) == 0, (study.folder / "log").read_text()
    assert results(study) == before
    assert study.would_run(edited) == again


def test_job_on_another_machine_has_the_config_of_its_run(study: Checkout) -> None:
    """Jobs of cluster executors read the Snakefile and the config again."""
    shard = "datasets/shuffle_pixels/fiducial/0000.h5"
    before = results(study)[shard]
    folder = study.folder / ".snakemake/infoscope"
    shutil.rmtree(folder)  # configs of other tests
    study.would_run()
    (kept,) = folder.iterdir()
    targets = delete(study, shard)
    edited = shuffled_otherwise(study)
    for config, same in ((kept, True), (None, False)):
        if config is None:
            study.would_run(edited)
            (config,) = (path for path in folder.iterdir() if path != kept)
        study.environ["INFOSCOPE_CONFIG"] = str(config.relative_to(study.folder))
        text = study.snakemake(
            "--mode", "remote", "--target-jobs",
            "degrade_maps:degradation=shuffle_pixels,split=fiducial,shard=0000",
            "--allowed-rules", "degrade_maps", "--cores", "1", "--force", "--nolock",
            "--ignore-incomplete", "--no-hooks", *targets, config=edited,
        )  # fmt: skip
        assert study.returncode == 0, text
        assert (contents(study.folder / targets[0]) == before) == same


def test_times_that_have_changed(study: Checkout) -> None:
    """After one command, touched files or copies without times run nothing."""
    folder = study.folder / "results"
    files = [path for path in folder.rglob("*") if path.is_file()]
    now = time.time()
    # like rsync without times, in arbitrary order
    random.Random(1).shuffle(files)
    for i, path in enumerate(files):
        os.utime(path, times=(now - i,) * 2)
    # Snakemake compares checksums of small files, but skies are not small
    assert "simulate_skies" in study.would_run()
    subprocess.run(ONE_TIME, shell=True, check=True, cwd=study.folder)
    assert study.would_run() == {}
    # a change of the config is still noticed
    edited = study.would_run(shuffled_otherwise(study))
    assert edited["degrade_maps"] == 5

    # the clock was set back: results have times in the future
    for path in files:
        os.utime(path, times=(now + 86_400,) * 2)
    assert study.would_run() == {}
    targets = delete(study, "chains/reference/cnn.1.txt")
    text = study.snakemake("--cores", "1", *targets)
    assert study.returncode == 1 and "clock skew" in text
    subprocess.run(ONE_TIME, shell=True, check=True, cwd=study.folder)
    text = study.snakemake("--cores", "1", *targets)
    assert study.returncode == 0, text
    assert finished_jobs(text) == {"export_chain": 1}


def test_the_document_has_the_commands_that_are_tested() -> None:
    text = (ROOT / "docs/failures.md").read_text()
    assert ONE_TIME in text
    assert "snakemake --unlock" in text
