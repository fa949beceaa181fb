"""Layout of panels: a row per degradation, in two blocks if there are many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure

MANY = 8


@dataclass(frozen=True)
class Blocks:
    """Places of the panels of degradations.

    Attributes
    ----------
    number
        Number of degradations.
    width
        Number of panels of a degradation, side by side.
    """

    number: int
    width: int

    @property
    def blocks(self) -> int:
        """Number of blocks, side by side."""
        return 2 if self.number > MANY else 1

    @property
    def rows(self) -> int:
        """Number of rows of a block."""
        return ceil(self.number / self.blocks)

    def subplots(self, figure: Figure) -> list[list[Axes]]:
        """Create the panels of each degradation; columns share their axes."""
        axes = figure.subplots(
            self.rows,
            self.blocks * self.width,
            sharex="col",
            sharey="col",
            squeeze=False,
        )
        made = []
        for i in range(self.rows * self.blocks):
            block, row = divmod(i, self.rows)
            of_one = axes[row, block * self.width : (block + 1) * self.width]
            if i < self.number:
                made.append(list(of_one))
                continue
            for ax in of_one:
                ax.set_visible(False)
        return made

    def tops(self, panels: list[list[Axes]]) -> Iterator[list[Axes]]:
        """Panels of the first row of each block."""
        yield from panels[:: self.rows]

    def bottoms(self, panels: list[list[Axes]]) -> Iterator[list[Axes]]:
        """Panels of the last row of each block."""
        for last in range(self.rows, self.rows * self.blocks + 1, self.rows):
            lowest = panels[min(last, self.number) - 1]
            for ax in lowest:
                # with shared axes, matplotlib labels only the last row
                ax.tick_params(labelbottom=True)
            yield lowest
