"""How far a job is: lines of its log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
SILENCE = 10.0


def log_progress(
    items: Iterable[T], total: int, name: str, log: logging.Logger
) -> Iterator[T]:
    """Yield items, and log how many are done and how long the others will take.

    Parameters
    ----------
    items
        What is worked on, one after another.
    total
        How many there are.
    name
        What they are called, in the plural.
    log
        Gets a line at most every ten seconds, and one when all are done.
    """
    began = told = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if done == total or now - told > SILENCE:
            told = now
            left = (now - began) / done * (total - done)
            log.info("%d of %d %s, about %s left", done, total, name, duration(left))


def duration(seconds: float) -> str:
    """Say a time as a reader would.

    >>> duration(40), duration(400), duration(4000)
    ('40 s', '7 min', '1 h 7 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
