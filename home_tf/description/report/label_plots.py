"""Plots of rows and labels: how many, and how many of them are positive."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from home_tf.description.description import LabelInSplit
from home_tf.report.canvas import (
    EDGE,
    TITLE_HEIGHT,
    label_rows,
    legend_width,
    light_grid,
    new_figure,
    place_axes,
    place_legend,
)
from home_tf.report.numbers import whole
from home_tf.report.style import BLUE, series_looks, shorten, text_width

Labels = Mapping[str, Mapping[str, LabelInSplit]]

_ROW = 0.26


def draw_rows(rows: Mapping[str, int], title: str) -> Figure:
    """Draws how many rows each split has.

    Args:
        rows: The number of rows of each split.
        title: The title.

    Returns:
        The figure.
    """
    names = [shorten(name) for name in rows]
    left, high, width = EDGE + text_width(names) + 0.1, _ROW * len(names), 2.4
    figure = new_figure(left + width + 0.9, EDGE + TITLE_HEIGHT + high + 0.5, title)
    ax = place_axes(figure, left, EDGE + TITLE_HEIGHT, width, high)
    ax.barh(range(len(rows)), list(rows.values()), 0.62, color=BLUE)
    for place, number in enumerate(rows.values()):
        ax.annotate(
            whole(number),
            (number, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center_baseline",
        )
    label_rows(ax, names)
    light_grid(ax)
    ax.set_xlim(0, max([1, *rows.values()]))
    ax.locator_params(axis="x", nbins=3)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: whole(x)))
    ax.set_xlabel("rows")
    return figure


def draw_rates(labels: Labels, title: str) -> Figure:
    """Draws the positive rate of each label in each split, with its interval.

    Args:
        labels: The labels.
        title: The title.

    Returns:
        The figure.
    """
    names = [shorten(name) for name in labels]
    splits = list(dict.fromkeys(split for each in labels.values() for split in each))
    looks = series_looks(splits)
    row = 0.13 * len(splits) + 0.1
    left, high, width = EDGE + text_width(names) + 0.1, row * len(names), 3.4
    top = EDGE + TITLE_HEIGHT
    wide = max(left + width, left + legend_width(looks)) + 0.3
    figure = new_figure(wide, top + high + 0.75, title)
    ax = place_axes(figure, left, top, width, high)
    for number, (split, look) in enumerate(zip(splits, looks.values(), strict=True)):
        shift = (number - (len(splits) - 1) / 2) * 0.7 / len(splits)
        for place, each in enumerate(labels.values()):
            _draw_rate(ax, each.get(split), place + shift, look)
    label_rows(ax, names)
    light_grid(ax)
    _scale_rates(ax, labels)
    place_legend(figure, left, top + high + 0.62, looks)
    return figure


def _draw_rate(
    ax: Any, one: LabelInSplit | None, place: float, look: Mapping[str, Any]
) -> None:
    if one is None or one.interval is None:
        return
    ax.hlines(place, *one.interval, color=look["color"], linewidth=1.6)
    if one.rate:
        ax.plot(one.rate, place, linestyle="none", **look)


def _scale_rates(ax: Any, labels: Labels) -> None:
    """A logarithmic axis in percent, from half the lowest rate up."""
    rates = [one.rate for each in labels.values() for one in each.values() if one.rate]
    low = min(rates)
    ax.set_xscale("log")
    ax.set_xlim(10 ** np.floor(np.log10(low / 2)), 1)
    ax.xaxis.set_major_locator(LogLocator(numticks=6))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:g}%"))
    ax.set_xlabel("positives among the rows with a label")
