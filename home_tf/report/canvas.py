"""Figures whose parts are placed in inches, so that text never overlaps."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from home_tf.report.style import GRID, INK, LABEL, MUTED, TITLE, text_width

EDGE = 0.08
TITLE_HEIGHT = 0.3


def new_figure(width: float, height: float, title: str = "") -> Figure:
    """Makes a figure of a given size in inches, with its title at the top left."""
    width = max(width, text_width([title], TITLE) * 1.08 + 2 * EDGE)
    figure = Figure(figsize=(width, height))
    if title:
        place_text(figure, EDGE, EDGE + 0.08, title, size=TITLE, weight="bold")
    return figure


def place_axes(
    figure: Figure, left: float, top: float, width: float, height: float
) -> Any:
    """Adds axes, placed in inches from the left and the top."""
    total_width, total_height = figure.get_size_inches()
    bottom = total_height - top - height
    return figure.add_axes(
        (
            left / total_width,
            bottom / total_height,
            width / total_width,
            height / total_height,
        )
    )


def place_text(
    figure: Figure,
    left: float,
    top: float,
    text: str,
    *,
    size: float = LABEL,
    color: str = INK,
    weight: str = "normal",
    align: str = "left",
) -> None:
    """Writes a line of text; its middle is placed in inches from the top."""
    width, height = figure.get_size_inches()
    figure.text(
        left / width,
        1 - top / height,
        text,
        size=size,
        color=color,
        weight=weight,
        ha=align,
        va="center_baseline",
    )


def place_legend(
    figure: Figure, left: float, top: float, entries: Mapping[str, Mapping[str, Any]]
) -> None:
    """Writes a legend in one line: a short line and a name for each entry.

    Args:
        figure: The figure.
        left: Its left end, in inches.
        top: Its middle, in inches from the top.
        entries: `{name: style of the line}`.
    """
    width, height = figure.get_size_inches()
    for name, look in entries.items():
        xs = [(left + x) / width for x in (0.0, 0.12, 0.24)]
        ys = [1 - top / height] * 3
        line = Line2D(xs, ys, transform=figure.transFigure, markevery=[1], **look)
        figure.add_artist(line)
        place_text(figure, left + 0.31, top, name)
        left += 0.31 + text_width([name]) + 0.2


def legend_width(names: Iterable[str]) -> float:
    """The width of a legend with these entries, in inches."""
    return sum(0.51 + text_width([name]) for name in names)


def label_rows(ax: Any, names: Sequence[str]) -> None:
    """Names the rows of axes from the top down, at 0, 1, 2 and so on."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)


def light_grid(ax: Any, axis: str = "x") -> None:
    """Draws a light grid without a frame."""
    ax.grid(axis=axis, color=GRID)
    ax.spines["left"].set_visible(axis != "x")
    ax.tick_params(axis="x", color=MUTED)
