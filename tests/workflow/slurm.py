"""A SLURM of one node for tests, with real daemons and files instead of GPUs."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

# the default path, because the plugin removes SLURM_CONF from the environment of jobs
SYSTEM = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf")
PACKAGES = "slurmctld slurmd slurm-client"
GPUS = 2

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/none
CredType=cred/none
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,bf_interval=1
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
KillWait=1
GresTypes=gpu
# more than the machine may have: jobs spend much of their time waiting
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 Gres=gpu:{gpus}
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE
PartitionName=gpu Nodes={host} MaxTime=INFINITE
"""


PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scancel", "sinfo", "squeue")
# folder of daemons in Debian
PATH = f"{os.environ['PATH']}:/usr/sbin"


def why_not() -> str | None:
    """Return why this machine cannot run a SLURM for tests, if it cannot."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    if missing:
        return f"no {', '.join(missing)}: apt-get install {PACKAGES}"
    if os.geteuid():
        return "the daemons of SLURM need root"
    remove_left_over()
    present = [str(SYSTEM / name) for name in FILES if (SYSTEM / name).exists()]
    if present:
        return f"{', '.join(present)}: this machine has a SLURM of its own"
    return None


def runs() -> bool:
    """Return whether a controller of SLURM runs on this machine."""
    for path in Path("/proc").glob("[0-9]*/comm"):
        # processes end in the meantime
        with suppress(OSError):
            if path.read_text().strip() == "slurmctld":
                return True
    return False


def remove_left_over() -> None:
    """Remove the links to the files of a test cluster that was killed."""
    if runs():
        return
    for path in (SYSTEM / name for name in FILES):
        # the file of a real cluster is not beside a copy of /dev/null
        if path.is_symlink() and (not path.exists() or _of_a_test(path)):
            path.unlink()


def _of_a_test(path: Path) -> bool:
    return (path.resolve().parent / "gpu0").is_char_device()


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


@contextmanager
def cluster(folder: Path) -> Iterator[Path]:
    """Run a SLURM with its state in `folder`, and yield the folder."""
    host = socket.gethostname().split(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    conf = CONF.format(host=host, folder=folder, ports=free_ports(2), gpus=GPUS)
    (folder / "slurm.conf").write_text(conf)
    # SLURM needs devices: these are copies of /dev/null
    for gpu in range(GPUS):
        os.mknod(folder / f"gpu{gpu}", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu[0-{GPUS - 1}]\n")
    made = not SYSTEM.exists()
    SYSTEM.mkdir(exist_ok=True)
    with ExitStack() as undo:
        if made:
            undo.callback(SYSTEM.rmdir)
        for name in FILES:
            (SYSTEM / name).symlink_to(folder / name)
            undo.callback((SYSTEM / name).unlink)
        for name in ("slurmctld", "slurmd"):
            undo.enter_context(daemon(name, folder / f"{name}.log"))
        wait_until_idle(folder)
        undo.callback(subprocess.run, ["scancel", "--user=root"], timeout=30)
        yield folder


@contextmanager
def daemon(name: str, log: Path) -> Iterator[None]:
    """Run a daemon of SLURM in the foreground of a new session."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [name, "-D"],
            env=os.environ | {"PATH": PATH},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_idle(folder: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state = subprocess.run(
            ["sinfo", "--noheader", "--partition=cpu", "--format=%t"],
            capture_output=True,
            text=True,
        )
        if state.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = [path.read_text()[-3000:] for path in folder.glob("*.log")]
    raise RuntimeError("\n".join(["SLURM does not start:", state.stderr, *logs]))
