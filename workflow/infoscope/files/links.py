"""Links to folders outside of the results, which may move."""

from __future__ import annotations

from pathlib import Path

from infoscope.files.atomic import atomic_path


def point(link: Path, folder: Path) -> None:
    """Make `link` point to a folder, whatever it pointed to before."""
    # jobs that run side by side do this at the same time
    with atomic_path(link) as temporary:
        temporary.symlink_to(folder.resolve(), target_is_directory=True)
