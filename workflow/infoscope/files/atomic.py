"""Files that stand under their names only when they are complete."""

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

# A file that nobody has written to for a day was left by a process that was killed.
ABANDONED_SECONDS = 86_400
REMEDIES = {
    errno.ENOSPC: "make space and run again",
    errno.EDQUOT: "make space and run again",
    errno.EROFS: "make it writable and run again",
    errno.EACCES: "make it writable and run again",
    errno.EPERM: "make it writable and run again",
}


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that is renamed to it on success.

    What processes that were killed have left of the same file is removed.

    Raises
    ------
    InfoscopeError
        If the disk is full or does not let itself be written.
    """
    # two machines may have a process of the same number
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
    """Refuse a folder of results in which nothing can be written.

    Raises
    ------
    InfoscopeError
        Names the folder, or that in which it would have to be made.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise InfoscopeError(
            f"{place}: cannot be written, but results belong there; make it writable "
            "or work in another folder"
        )


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of `path` that nobody writes any more."""
    of_path = re.compile(rf"\.{re.escape(path.name)}\.(.+)-(\d+)-[0-9a-f]+\.part")
    for entry in os.scandir(path.parent):
        if not (found := of_path.fullmatch(entry.name)):
            continue
        host, process = found.groups()
        # another process may remove it at the same time
        with contextlib.suppress(FileNotFoundError):
            age = time.time() - entry.stat(follow_symlinks=False).st_mtime
            killed = host == socket.gethostname() and not alive(int(process))
            if killed or age > ABANDONED_SECONDS:
                os.unlink(entry)


def alive(process: int) -> bool:
    """Whether a process of this machine exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
