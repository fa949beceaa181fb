"""Checkpoints, from which an interrupted training run resumes."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

log = logging.getLogger(__name__)

# Shorter training runs are cheaper to repeat than to save.
INTERVAL_SECONDS = 30.0
# part of the names of folders that orbax has not finished
UNFINISHED = ".orbax-checkpoint-tmp"


class Checkpoints:
    """The latest state of a training run, on disk.

    Parameters
    ----------
    folder
        Folder of the checkpoint. Training runs that differ in any setting need
        different folders.
    interval_seconds
        Minimum time between two saved states; INTERVAL_SECONDS by default.
    """

    def __init__(self, folder: Path, interval_seconds: float | None = None) -> None:
        self.folder = folder
        self.interval_seconds = (
            INTERVAL_SECONDS if interval_seconds is None else interval_seconds
        )
        self.last = time.monotonic()
        self.manager: ocp.CheckpointManager | None = None

    def save(self, step: int, arrays: Any, record: dict[str, Any]) -> None:
        """Save a tree of arrays and a JSON record, unless the last ones are recent.

        A failure is logged as a warning.
        """
        if time.monotonic() - self.last < self.interval_seconds:
            return
        try:
            self._manager().save(
                step,
                args=ocp.args.Composite(
                    arrays=ocp.args.StandardSave(arrays),
                    record=ocp.args.JsonSave(record),
                ),
            )
        # training continues without a checkpoint after any error, of which there are
        # many types (for a full disk, a ValueError)
        except Exception as error:
            log.warning(
                "warning: no checkpoint at step %d (%s)", step, _first_line(error)
            )
            # the results may need the space of the unfinished checkpoint
            for part in self.folder.glob(f"*{UNFINISHED}*"):
                shutil.rmtree(part, ignore_errors=True)
        self.last = time.monotonic()

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """Read the latest checkpoint, if there is one.

        A checkpoint that cannot be read, because it is damaged or was written by
        another version of the libraries, is deleted with a warning.

        Parameters
        ----------
        like
            Tree of arrays with the structure and shapes of the saved tree.

        Returns
        -------
            The arrays and their record, or None.
        """
        if not self.folder.exists():
            return None
        try:
            manager = self._manager()
            step = manager.latest_step()
            if step is None:
                return None
            restored = manager.restore(
                step,
                args=ocp.args.Composite(
                    arrays=ocp.args.StandardRestore(like), record=ocp.args.JsonRestore()
                ),
            )
        # damage may raise errors of any type, in any of the underlying libraries
        except Exception as error:
            log.warning(
                "warning: the checkpoint cannot be read and is deleted (%s)",
                _first_line(error),
            )
            self.delete()
            return None
        return restored.arrays, restored.record

    def delete(self) -> None:
        """Delete the checkpoint."""
        if self.manager is not None:
            self.manager.close()
            self.manager = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _manager(self) -> ocp.CheckpointManager:
        if self.manager is None:
            self.manager = ocp.CheckpointManager(
                self.folder.absolute(),
                options=ocp.CheckpointManagerOptions(
                    max_to_keep=1, create=True, enable_async_checkpointing=False
                ),
            )
        return self.manager


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
