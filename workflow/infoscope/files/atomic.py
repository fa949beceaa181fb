"""Atomic writes: a file appears under its name only once it is complete."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from infoscope.errors import InfoscopeError

# A temporary file not modified for a day was left by a killed process.
ABANDONED_SECONDS = 86_400
REMEDIES = {
    errno.ENOSPC: "free disk space and run again",
    errno.EDQUOT: "free disk space and run again",
    errno.EROFS: "make it writable and run again",
    errno.EACCES: "make it writable and run again",
    errno.EPERM: "make it writable and run again",
}


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder, and rename it to `path` on success.

    Temporary files of `path` that killed processes have left are removed.

    Raises
    ------
    InfoscopeError
        If the disk is full or not writable.
    """
    # process ids are unique only within a machine
    owner = f"{socket.gethostname()}-{os.getpid()}"
    name = f".{path.name}.{owner}-{secrets.token_hex(4)}.part"
    temporary = path.with_name(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        place = error.filename
        if place is None or Path(place) == temporary:
            place = path
        raise InfoscopeError(
            f"{place}: cannot be written ({os.strerror(error.errno)}): "
            f"{REMEDIES[error.errno]}"
        ) from None


def check_writable(folder: Path) -> None:
    """Check that files can be written to a folder of results.

    Raises
    ------
    InfoscopeError
        If the folder, or the existing folder it would be created in, is not writable.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise InfoscopeError(
            f"{place}: cannot be written, but results belong there; make it "
            "writable or run in another folder"
        )


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of `path` that no process is writing."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(.+)-(\d+)-[0-9a-f]+\.part")
    for entry in os.scandir(path.parent):
        if not (match := pattern.fullmatch(entry.name)):
            continue
        host, process = match.groups()
        # another process may remove the file at the same time
        with contextlib.suppress(FileNotFoundError):
            age = time.time() - entry.stat(follow_symlinks=False).st_mtime
            killed = host == socket.gethostname() and not alive(int(process))
            if killed or age > ABANDONED_SECONDS:
                os.unlink(entry)


def alive(process: int) -> bool:
    """Return whether a process exists on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
