"""Plots of tasks, for all runs together: ranking quality and calibration."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from home_tf.diagnosis.report.runs import Runs
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
from home_tf.report.style import MUTED, series_looks, shorten, text_width

_PANEL, _GAP = 1.55, 0.5


def draw_metric(runs: Runs, metric: str, title: str) -> Figure:
    """Draws a metric of each task with its interval.

    Args:
        runs: The runs.
        metric: `auc` or `gauc`.
        title: The title.

    Returns:
        The figure.
    """
    tasks = list(
        dict.fromkeys(t for one in runs.values() for t in one["metrics"]["auc"])
    )
    names = [shorten(name) for name in tasks]
    row = max(0.26, 0.13 * len(runs) + 0.1)
    left, high, width = EDGE + text_width(names) + 0.1, row * len(tasks), 3.2
    top = EDGE + TITLE_HEIGHT
    legend = series_looks(runs) if len(runs) > 1 else {}
    figure = new_figure(
        max(left + width, left + legend_width(legend)) + 0.2,
        top + high + (0.62 if legend else 0.38),
        title,
    )
    ax = place_axes(figure, left, top, width, high)
    for number, (one, look) in enumerate(
        zip(runs.values(), series_looks(runs).values(), strict=False)
    ):
        shift = (number - (len(runs) - 1) / 2) * 0.7 / len(runs)
        _draw_points(ax, tasks, one["metrics"], metric, shift, look)
    label_rows(ax, names)
    light_grid(ax)
    ax.locator_params(axis="x", nbins=5)
    place_legend(figure, left, top + high + 0.5, legend)
    return figure


def _draw_points(
    ax: Any,
    tasks: Sequence[str],
    metrics: Mapping[str, Any],
    metric: str,
    shift: float,
    look: Mapping[str, Any],
) -> None:
    values, intervals = metrics[metric], metrics.get(f"{metric}_interval") or {}
    for place, task in enumerate(tasks):
        ends = intervals.get(task)
        if ends is not None and None not in ends:
            ax.hlines(place + shift, *ends, color=look["color"], linewidth=1.6)
        if values.get(task) is not None:
            ax.plot(values[task], place + shift, linestyle="none", **look)


def draw_calibration(runs: Runs, tasks: Sequence[str], title: str) -> Figure:
    """Draws predicted and observed rates, a panel for each task.

    Args:
        runs: The runs.
        tasks: The tasks.
        title: The title.

    Returns:
        The figure.
    """
    columns = min(4, len(tasks))
    lines = math.ceil(len(tasks) / columns)
    legend = series_looks(runs) if len(runs) > 1 else {}
    top, across = EDGE + TITLE_HEIGHT + 0.2, _PANEL + 0.6
    down = _PANEL + _GAP + 0.1
    wide = max(0.75 + across * columns, 0.75 + legend_width(legend))
    figure = new_figure(wide, top + down * lines + (0.25 if legend else -0.1), title)
    for number, task in enumerate(tasks):
        line, column = divmod(number, columns)
        ax = place_axes(
            figure, 0.7 + across * column, top + down * line, _PANEL, _PANEL
        )
        _draw_curves(ax, runs, task)
        ax.set_title(shorten(task, 22), size=8.5, loc="left", pad=4)
        if column == 0:
            ax.set_ylabel("observed")
        if number + columns >= len(tasks):
            ax.set_xlabel("predicted")
    place_legend(figure, 0.7, top + down * lines + 0.1, legend)
    return figure


def _draw_curves(ax: Any, runs: Runs, task: str) -> None:
    curves = {
        name: one["calibration_curves"].get(task, []) for name, one in runs.items()
    }
    bins = [one for curve in curves.values() for one in curve]
    known = [x for one in bins for x in (one["predicted"], one["observed"]) if x > 0]
    if not known:
        return
    low = max(min(known), 1e-6) / 1.6
    high = min(1.0, max([*known, *(one["high"] for one in bins)]) * 1.3)
    low = min(low, high / 12)
    ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    ax.plot([low, high], [low, high], color=MUTED, linewidth=0.8, linestyle="--")
    for curve, look in zip(curves.values(), series_looks(runs).values(), strict=False):
        _draw_curve(ax, curve, look, low)
    ax.grid(which="major")
    ax.minorticks_off()
    for axis in (ax.xaxis, ax.yaxis):
        ticks = _round_numbers(low, high)
        axis.set_ticks(ticks, [f"{100 * x:g}%" for x in ticks])
        axis.set_tick_params(labelsize=7.5, pad=2)


def _draw_curve(
    ax: Any, curve: Sequence[Mapping[str, float]], look: Mapping[str, Any], low: float
) -> None:
    xs = np.array([max(one["predicted"], low) for one in curve])
    ys = np.array([max(one["observed"], low) for one in curve])
    lows = np.array([max(one["low"], low) for one in curve])
    highs = np.array([one["high"] for one in curve])
    ax.vlines(xs, lows, highs, color=look["color"], linewidth=1, alpha=0.6)
    seen = np.array([one["observed"] > 0 for one in curve], bool)
    look = {**look, "markersize": 3.5, "linestyle": "none", "clip_on": False}
    ax.plot(xs[seen], ys[seen], **look)
    # Bins without a positive are drawn as hollow markers at the bottom.
    ax.plot(xs[~seen], ys[~seen], **look, markerfacecolor="none")


def _round_numbers(low: float, high: float) -> list[float]:
    """Powers of ten between two numbers; if they are few, also 2 and 5 times these."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1,), (1, 3), (1, 2, 5)):
        found = [s * 10.0**p for p in range(first, last + 1) for s in steps]
        found = [x for x in found if low <= x <= high]
        if len(found) > 1:
            break
    return found[:: 1 + len(found) // 4]
