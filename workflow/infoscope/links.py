"""Links to folders outside of the results, which may move."""

from __future__ import annotations

import os
from pathlib import Path


def point(link: Path, folder: Path) -> None:
    """Make `link` point to a folder, whatever it pointed to before."""
    link.parent.mkdir(parents=True, exist_ok=True)
    # jobs that run side by side do this at the same time
    temporary = link.with_name(f".{os.getpid()}.{link.name}")
    temporary.symlink_to(folder.resolve(), target_is_directory=True)
    temporary.replace(link)
