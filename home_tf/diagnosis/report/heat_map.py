"""Heat maps: tables of numbers in colour, with the numbers if they fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.collections import PolyCollection
from matplotlib.colors import (
    LinearSegmentedColormap,
    Normalize,
    PowerNorm,
    TwoSlopeNorm,
)
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from home_tf.diagnosis.report.expert_names import OWNERS
from home_tf.report.canvas import (
    EDGE,
    TITLE_HEIGHT,
    new_figure,
    place_axes,
    place_text,
)
from home_tf.report.style import MUTED, NUMBER, shorten, text_width

Array = npt.NDArray[Any]

# Up to this many columns, a number fits in each cell.
_ROOM = 24
_GAP = 0.04
_STRIP = 0.22
_BAR = 0.75


@dataclass(frozen=True)
class Grid:
    """The content of a heat map.

    Attributes:
        rows: The names of the rows.
        columns: The names of the columns.
        values: `(rows, columns)`; NaN where there is nothing to show.
        owners: The owner of each column; by default none.
        faint: Where a cell is pale and its number not written, `(rows, columns)`.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    values: Array
    owners: Sequence[str | None] = ()
    faint: Array | None = None

    @classmethod
    def of(
        cls,
        rows: Mapping[str, Mapping[str, float | None]],
        columns: Mapping[str, str],
        owners: Sequence[str | None] = (),
    ) -> "Grid":
        """Makes a grid from `{row: {column: value}}`, with `{column: its label}`."""
        values = [
            [np.nan if (x := row.get(name)) is None else x for name in columns]
            for row in rows.values()
        ]
        names = [shorten(name) for name in rows]
        shape = (len(rows), len(columns))
        array = np.array(values, float).reshape(shape)
        return cls(names, list(columns.values()), array, owners)


@dataclass(frozen=True)
class Scale:
    """How numbers become colours.

    Attributes:
        norm: Maps numbers to the range 0 to 1.
        colours: Maps 0 to 1 to colours.
        ticks: The labels next to the colours, from the lowest up.
        number: Formats the number of a cell.
    """

    norm: Normalize
    colours: Any
    ticks: Mapping[str, float]
    number: Callable[[float], str]

    def paint(self, values: Array) -> Array:
        """The colour of each number, `(..., 4)`."""
        return self.colours(self.norm(np.asarray(values)))


def shares() -> Scale:
    """A scale from 0 to 1 with more shades for small values, written in percent.

    It is the same for every model.
    """
    return Scale(
        PowerNorm(0.5, 0, 1, clip=True),
        _sequential(),
        {"0%": 0.0, "25%": 0.25, "50%": 0.5, "100%": 1.0},
        lambda share: f"{100 * share:.0f}",
    )


def losses(largest: float) -> Scale:
    """A scale from 0 up, with more shades for small values."""
    top = max(largest, 1e-6)
    return Scale(
        PowerNorm(0.5, 0, top, clip=True),
        _sequential(),
        {"0": 0.0, f"{top / 4:.3f}": top / 4, f"{top:.3f}": top},
        lambda loss: f"{loss:.3f}",
    )


def around_one(values: Array) -> Scale:
    """A scale around 1: one colour below, another above."""
    away = max(0.1, float(np.nanmax(np.abs(values - 1), initial=0.0)))
    return Scale(
        TwoSlopeNorm(1, 1 - away, 1 + away),
        matplotlib.colormaps["PuOr_r"],
        {f"{1 - away:.2f}": 1 - away, "1": 1.0, f"{1 + away:.2f}": 1 + away},
        lambda value: f"{value:.2f}",
    )


def _sequential() -> Any:
    # Its darkest end would be invisible on a dark page.
    colours = matplotlib.colormaps["viridis"](np.linspace(0.08, 1, 64))
    return LinearSegmentedColormap.from_list("report", colours)


def draw_heat_map(grid: Grid, scale: Scale, title: str) -> Figure:
    """Draws a heat map as large as its names and numbers need.

    Args:
        grid: The content.
        scale: The colours.
        title: The title.

    Returns:
        The figure.
    """
    width, height = cell_size(grid, scale)
    left = EDGE + text_width(grid.rows) + 0.1
    top = EDGE + TITLE_HEIGHT + (_STRIP if any(grid.owners) else 0)
    bottom = label_height(grid.columns, width)
    wide, high = width * len(grid.columns), height * len(grid.rows)
    high_bar = max(high, 0.8)
    figure = new_figure(
        left + wide + _BAR + EDGE, top + max(high + bottom, high_bar + 0.1), title
    )
    ax = place_axes(figure, left, top, wide, high)
    fill_heat_map(ax, grid, scale, (width, height))
    draw_scale(figure, scale, left + wide + 0.15, top, min(high_bar, 1.6))
    return figure


def cell_size(grid: Grid, scale: Scale) -> tuple[float, float]:
    """Width and height of a cell, in inches."""
    if len(grid.columns) > _ROOM:
        return 0.165, 0.2
    known = grid.values[np.isfinite(grid.values)]
    widest = text_width((scale.number(x) for x in known), NUMBER)
    return max(0.3, widest + 0.12), 0.25


def label_height(names: Sequence[str], width: float) -> float:
    """The height of the names below columns of a given width, in inches."""
    longest = text_width(names)
    return longest * _slope(names, width)[1] + 0.2


def _slope(names: Sequence[str], width: float) -> tuple[float, float]:
    """The angle of column names in degrees, and their height per length."""
    if text_width(names) < width - 0.08:
        return 0, 0.0
    return (90, 1.0) if width < 0.25 else (45, 0.7071)


def fill_heat_map(
    ax: Any, grid: Grid, scale: Scale, size: tuple[float, float] | None = None
) -> None:
    """Draws the cells, names and owners of a heat map on axes.

    Args:
        ax: The axes.
        grid: The content.
        scale: The colours.
        size: Width and height of a cell, in inches; by default those of the axes.
    """
    figure_width, _ = ax.figure.get_size_inches()
    width = (
        size[0] if size else ax.get_position().width * figure_width / len(grid.columns)
    )
    _draw_cells(ax, grid, scale)
    if len(grid.columns) <= _ROOM and size:
        _write_numbers(ax, grid, scale)
    ax.set_xlim(-0.5, len(grid.columns) - 0.5)
    ax.set_ylim(len(grid.rows) - 0.5, -0.5)
    ax.set_yticks(range(len(grid.rows)), grid.rows)
    name_columns(ax, grid.columns, width)
    ax.tick_params(length=0, pad=3)
    ax.spines[:].set_visible(False)
    _mark_owners(ax, grid.owners, width)


def _draw_cells(ax: Any, grid: Grid, scale: Scale) -> None:
    rows, columns = np.nonzero(np.isfinite(grid.values))
    corner = 0.5 - _GAP
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * corner
    places = np.stack([columns, rows], axis=1)
    colours = scale.paint(grid.values[rows, columns])
    if grid.faint is not None:
        colours[grid.faint[rows, columns], 3] = 0.2
    ax.add_collection(
        PolyCollection(
            list(places[:, None] + square),
            facecolors=colours,
            edgecolors="none",
        )
    )


def _write_numbers(ax: Any, grid: Grid, scale: Scale) -> None:
    for row, column in zip(*np.nonzero(np.isfinite(grid.values)), strict=True):
        if grid.faint is not None and grid.faint[row, column]:
            continue
        value = grid.values[row, column]
        red, green, blue, _ = scale.paint(value)
        is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.55
        ax.text(
            column,
            row,
            scale.number(value),
            size=NUMBER,
            color="#111111" if is_light else "#f8f8f8",
            ha="center",
            va="center_baseline",
        )


def name_columns(ax: Any, names: Sequence[str], width: float) -> None:
    """Names columns of a given width; names that are too long are rotated."""
    turned, _ = _slope(names, width)
    ax.set_xticks(range(len(names)), names)
    if turned:
        for label in ax.get_xticklabels():
            label.set(
                rotation=turned,
                rotation_mode="anchor",
                ha="right",
                va="center" if turned == 90 else "top",
            )


def _mark_owners(ax: Any, owners: Sequence[str | None], width: float) -> None:
    """Draws a strip above the columns that shows whose experts they are."""
    start = 0
    for owner, group in groupby(owners):
        end = start + len(list(group))
        if owner is not None:
            ax.plot(
                [start - 0.5 + _GAP, end - 0.5 - _GAP],
                [1.0, 1.0],
                transform=_above(ax, 0.05),
                color=OWNERS[owner],
                linewidth=3,
                solid_capstyle="butt",
                clip_on=False,
            )
            if text_width([owner], NUMBER) < width * (end - start):
                ax.text(
                    (start + end - 1) / 2,
                    1.0,
                    owner,
                    transform=_above(ax, 0.14),
                    size=NUMBER,
                    color=MUTED,
                    ha="center",
                    va="center_baseline",
                )
        start = end


def _above(ax: Any, inches: float) -> Any:
    move = ScaledTranslation(0, inches, ax.figure.dpi_scale_trans)
    return ax.get_xaxis_transform() + move


def draw_scale(
    figure: Figure, scale: Scale, left: float, top: float, height: float
) -> None:
    """Draws the colour scale next to a heat map, in inches from the top left."""
    ax = place_axes(figure, left, top, 0.11, height)
    ends = np.array(list(scale.ticks.values()))
    low, high = ends.min(), ends.max()
    edges = np.linspace(low, high, 33)
    bars = np.diff(edges)
    ax.bar(0, bars * 1.05, 1, edges[:-1], color=scale.paint(edges[:-1] + bars / 2))
    ax.set(xlim=(-0.5, 0.5), ylim=(low, high), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    for text, value in scale.ticks.items():
        place = top + height * (1 - (value - low) / (high - low))
        place = min(max(place, top + 0.05), top + height - 0.05)
        place_text(figure, left + 0.16, place, text, size=NUMBER, color=MUTED)
