"""Checkpoints of a training, so that one that is killed goes on where it was."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

log = logging.getLogger(__name__)

# A shorter training is done again sooner than it would be worth its checkpoints.
EVERY_SECONDS = 30.0
# in the names of folders that orbax has not finished
UNFINISHED = ".orbax-checkpoint-tmp"


class Checkpoints:
    """The latest state of one training, on disk.

    Parameters
    ----------
    folder
        Where it is kept; its name tells apart trainings that differ in anything.
    every_seconds
        States that come sooner after the last one are not written; EVERY_SECONDS if
        it is not given.
    """

    def __init__(self, folder: Path, every_seconds: float | None = None) -> None:
        self.folder = folder
        self.every_seconds = EVERY_SECONDS if every_seconds is None else every_seconds
        self.last = time.monotonic()
        self.manager: ocp.CheckpointManager | None = None

    def save(self, step: int, arrays: Any, record: dict[str, Any]) -> None:
        """Keep a tree of arrays and a JSON record, unless it is too soon."""
        if time.monotonic() - self.last < self.every_seconds:
            return
        try:
            self._manager().save(
                step,
                args=ocp.args.Composite(
                    arrays=ocp.args.StandardSave(arrays),
                    record=ocp.args.JsonSave(record),
                ),
            )
        # whatever it is (a full disk is a ValueError), the training needs no checkpoint
        except Exception as error:
            log.warning(
                "warning: no checkpoint at step %d (%s)", step, _first_line(error)
            )
            # results may need the space of what is left of it
            for part in self.folder.glob(f"*{UNFINISHED}*"):
                shutil.rmtree(part, ignore_errors=True)
        self.last = time.monotonic()

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """Return the latest arrays, shaped as those given, and their record, if any.

        A checkpoint that cannot be read, being damaged or of another version, is
        thrown away.
        """
        if not self.folder.exists():
            return None
        try:
            manager = self._manager()
            step = manager.latest_step()
            if step is None:
                return None
            found = manager.restore(
                step,
                args=ocp.args.Composite(
                    arrays=ocp.args.StandardRestore(like), record=ocp.args.JsonRestore()
                ),
            )
        # damage shows as an error of any kind, of any of the libraries below
        except Exception as error:
            log.warning(
                "warning: the checkpoint cannot be read and is thrown away (%s)",
                _first_line(error),
            )
            self.delete()
            return None
        return found.arrays, found.record

    def delete(self) -> None:
        """Forget the training: it is done."""
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
