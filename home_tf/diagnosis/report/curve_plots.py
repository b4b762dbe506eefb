"""Plots of figures over the course of a training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from home_tf.report.canvas import (
    EDGE,
    TITLE_HEIGHT,
    light_grid,
    new_figure,
    place_axes,
    place_legend,
)
from home_tf.report.style import BLUE, MUTED, ORANGE, VERMILLION, shorten

# `{name: [value at each step]}`
Lines = Mapping[str, Sequence[float | None]]

_WORST = (
    {"color": VERMILLION, "linestyle": "-"},
    {"color": BLUE, "linestyle": "--"},
    {"color": ORANGE, "linestyle": "-."},
)
_WIDTH, _HEIGHT = 2.55, 1.35


@dataclass(frozen=True)
class Panel:
    """A figure over a training, of all experts, gates or tasks.

    Attributes:
        title: The title of the figure.
        lines: Its values.
        lowest: Whether the lowest values are the worst, not the highest.
        is_share: Whether it ranges from 0 to 1.
        limits: The lowest and highest value to show.
    """

    title: str
    lines: Lines
    lowest: bool
    is_share: bool
    limits: tuple[float, float]

    def worst(self) -> list[str]:
        """Finds the three that end worst, the worst first; none if all end alike."""
        ends = {
            name: values[-1]
            for name, values in self.lines.items()
            if values[-1] is not None
        }
        if len(set(ends.values())) < 2:
            return []
        return sorted(ends, key=ends.__getitem__, reverse=not self.lowest)[:3]


def draw_panels(
    steps: Sequence[int], panels: Sequence[Panel], title: str, columns: int
) -> Figure:
    """Draws panels side by side, with the three worst lines of each in colour.

    Args:
        steps: The steps of the values.
        panels: The panels.
        title: The title.
        columns: Number of panels per line.

    Returns:
        The figure.
    """
    lines = math.ceil(len(panels) / columns)
    top, across, down = EDGE + TITLE_HEIGHT + 0.25, _WIDTH + 0.7, _HEIGHT + 1.3
    width = 0.2 + across * min(columns, len(panels))
    figure = new_figure(width, top + down * lines - 0.25, title)
    for number, panel in enumerate(panels):
        line, column = divmod(number, columns)
        left, above = 0.6 + across * column, top + down * line
        ax = place_axes(figure, left, above, _WIDTH, _HEIGHT)
        _draw_panel(ax, steps, panel)
        for place, (name, look) in enumerate(zip(panel.worst(), _WORST, strict=False)):
            below = above + _HEIGHT + 0.47 + 0.17 * place
            place_legend(figure, left - 0.1, below, {shorten(name, 34): look})
    return figure


def _draw_panel(ax: Any, steps: Sequence[int], panel: Panel) -> None:
    worst = dict(zip(panel.worst(), _WORST, strict=False))
    for name, values in panel.lines.items():
        if name not in worst:
            _draw_line(ax, steps, values, color=MUTED, linewidth=0.7, alpha=0.45)
    for name in reversed(worst):
        _draw_line(ax, steps, panel.lines[name], linewidth=1.7, **worst[name])
    ax.set_title(panel.title, size=8.5, loc="left", pad=5)
    light_grid(ax, "y")
    ax.spines["left"].set_visible(False)
    ax.set_xlim(steps[0], steps[-1])
    low, high = panel.limits
    ax.set_ylim(low, high)
    ax.locator_params(axis="x", nbins=4, integer=True)
    ax.locator_params(axis="y", nbins=4)
    if panel.is_share:
        ax.yaxis.set_major_formatter(_percent)
    ax.set_xlabel("step", labelpad=1)


def _percent(value: float, _: int) -> str:
    return f"{100 * value:.3g}%"


def _draw_line(
    ax: Any, steps: Sequence[int], values: Sequence[float | None], **look: Any
) -> None:
    ax.plot(steps, [math.nan if x is None else x for x in values], **look)
