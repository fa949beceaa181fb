"""Progress of a job in its log, with an estimate of the remaining time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
LOG_INTERVAL = 10.0  # seconds


def log_progress(
    items: Iterable[T], total: int, name: str, log: logging.Logger
) -> Iterator[T]:
    """Yield items, and log how many are done and the estimated remaining time.

    Parameters
    ----------
    items
        Items to process, one after another.
    total
        Number of items.
    name
        Name of the items in the log, in the plural.
    log
        Logger of the job. It gets a line at most every `LOG_INTERVAL` seconds, and one
        after the last item.
    """
    start = last_logged = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if done == total or now - last_logged > LOG_INTERVAL:
            last_logged = now
            left = (now - start) / done * (total - done)
            log.info("%d of %d %s, about %s left", done, total, name, duration(left))


def duration(seconds: float) -> str:
    """Format a duration for a log line.

    >>> duration(40), duration(400), duration(4000)
    ('40 s', '7 min', '1 h 7 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
