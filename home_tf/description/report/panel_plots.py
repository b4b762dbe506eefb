"""Plots with a panel for each feature: distributions, and vocabularies."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from home_tf.description.description import Feature
from home_tf.description.report.split_looks import Features, split_looks
from home_tf.report.canvas import (
    EDGE,
    TITLE_HEIGHT,
    light_grid,
    new_figure,
    place_axes,
    place_legend,
)
from home_tf.report.style import NUMBER, shorten

# Draws a feature on axes, given the colour of each split.
Draw = Callable[[Any, Feature, dict[str, str]], None]

_ACROSS = 4
_WIDTH, _HEIGHT = 2.0, 0.95


def draw_distributions(features: Features, title: str) -> Figure:
    """Draws the share of the numbers of each split in each bin.

    Args:
        features: Features of numbers with at least two bins.
        title: The title.

    Returns:
        The figure.
    """
    return _draw_panels(features, title, _draw_distribution, "value", "share of rows")


def draw_coverage(features: Features, title: str) -> Figure:
    """Draws the share of each split that the most frequent training values cover.

    Args:
        features: Features of ids with a vocabulary.
        title: The title.

    Returns:
        The figure.
    """
    return _draw_panels(
        features, title, _draw_coverage, "number of values", "share covered"
    )


def _draw_panels(
    features: Features, title: str, draw: Draw, x_label: str, y_label: str
) -> Figure:
    splits = dict.fromkeys(split for one in features.values() for split in one.splits)
    looks = split_looks(features, splits, linewidth=1.6)
    colours = {s: x["color"] for s, x in zip(splits, looks.values(), strict=True)}
    columns = min(_ACROSS, len(features))
    lines = math.ceil(len(features) / columns)
    top, across, down = EDGE + TITLE_HEIGHT + 0.55, _WIDTH + 0.75, _HEIGHT + 0.75
    figure = new_figure(0.1 + across * columns, top + down * lines, title)
    place_legend(figure, EDGE, EDGE + TITLE_HEIGHT + 0.1, looks)
    for number, (name, feature) in enumerate(features.items()):
        line, column = divmod(number, columns)
        left, above = 0.65 + across * column, top + down * line
        ax = place_axes(figure, left, above, _WIDTH, _HEIGHT)
        draw(ax, feature, colours)
        _finish_panel(ax, shorten(name, 32))
        if column == 0:
            ax.set_ylabel(y_label)
        if number + columns >= len(features):
            ax.set_xlabel(x_label, labelpad=2)
    return figure


def _finish_panel(ax: Any, title: str) -> None:
    ax.set_title(title, size=8.5, loc="left", pad=5)
    light_grid(ax, "y")
    ax.spines["left"].set_visible(False)
    ax.set_ylim(0, None)
    ax.locator_params(axis="y", nbins=3)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.3g}%"))
    ax.tick_params(labelsize=NUMBER, pad=2)


def _draw_distribution(ax: Any, feature: Feature, colours: dict[str, str]) -> None:
    places = np.arange(len(feature.edges) + 2)
    for split, one in reversed(list(feature.splits.items())):
        counts = np.array(one.bins)
        shares = counts / max(1, counts.sum())
        ax.stairs(shares, places, color=colours[split], linewidth=1.6, baseline=None)
    ax.set_xlim(0, places[-1])
    ticks = _tick_places(len(feature.edges))
    ax.set_xticks(ticks, [_short_number(feature.edges[i - 1]) for i in ticks])


def _tick_places(edges: int) -> list[int]:
    """Picks the first, middle and last bin edges; all if there are few."""
    if edges <= 3:
        return list(range(1, edges + 1))
    return [1, (edges + 1) // 2, edges]


def _short_number(value: float) -> str:
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * unit:
            return f"{value / unit:.3g}{suffix}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _draw_coverage(ax: Any, feature: Feature, colours: dict[str, str]) -> None:
    for split, one in reversed(list(feature.splits.items())):
        if one.coverage:
            ax.plot(
                feature.coverage_places,
                one.coverage,
                color=colours[split],
                linewidth=1.6,
            )
    last = feature.coverage_places[-1]
    ax.set(xscale="log", xlim=(1, last), ylim=(0, 1))
    ax.xaxis.set_minor_locator(NullLocator())
    powers = [10**power for power in range(int(math.log10(last)) + 1)]
    ax.set_xticks(powers, [f"{power:,}" for power in powers])
