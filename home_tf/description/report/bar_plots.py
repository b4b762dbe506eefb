"""Plots with a bar for each feature: drift, and values out of vocabulary."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from home_tf.description.concerns import DRIFT
from home_tf.description.description import TRAIN
from home_tf.description.report.split_looks import Features, split_looks
from home_tf.report.canvas import (
    EDGE,
    TITLE_HEIGHT,
    label_rows,
    light_grid,
    new_figure,
    place_axes,
    place_legend,
)
from home_tf.report.style import (
    MUTED,
    NUMBER,
    VERMILLION,
    shorten,
    text_width,
)

MODERATE_DRIFT = 0.1
# Larger drifts are cut off: drawn to scale, one would dwarf all others.
_MOST_DRIFT = 1.0
_BAR = 0.14


def draw_drift(features: Features, title: str) -> Figure:
    """Draws the drift of each feature in each split but the training rows.

    Args:
        features: The features, in the order of the rows.
        title: The title.

    Returns:
        The figure.
    """
    drifts = _by_split(features, "drift")
    figure, ax = _draw_bars(features, drifts, title, _MOST_DRIFT, "{:.2f}".format)
    ax.axvline(MODERATE_DRIFT, color=MUTED, linewidth=0.8, linestyle=":")
    ax.axvline(DRIFT, color=VERMILLION, linewidth=1, linestyle="--")
    ax.set_xticks([0, MODERATE_DRIFT, DRIFT, 0.5, _MOST_DRIFT])
    ax.set_xticklabels(["0", "0.1", "0.25", "0.5", "1"])
    ax.set_xlabel("population stability index against the training rows")
    return figure


def draw_out_of_vocabulary(features: Features, title: str) -> Figure:
    """Draws the share of values out of vocabulary of each feature in each split.

    Args:
        features: The features, in the order of the rows.
        title: The title.

    Returns:
        The figure.
    """
    shares = _by_split(features, "out_of_vocabulary")
    shares.pop(TRAIN, None)
    most = max(share or 0 for each in shares.values() for share in each)
    most = min(1.0, 1.1 * most)
    figure, ax = _draw_bars(features, shares, title, most, "{:.1%}".format)
    ax.locator_params(axis="x", nbins=5)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.3g}%"))
    ax.set_xlabel("values that are not in any training row")
    return figure


def _by_split(features: Features, figure: str) -> dict[str, list[float | None]]:
    """`{split: [figure of each feature]}` for the splits that have any."""
    splits = dict.fromkeys(split for one in features.values() for split in one.splits)
    found = {
        split: [getattr(one.splits[split], figure) for one in features.values()]
        for split in splits
    }
    return {
        split: values
        for split, values in found.items()
        if any(value is not None for value in values)
    }


def _draw_bars(
    features: Features,
    values: Mapping[str, Sequence[float | None]],
    title: str,
    most: float,
    write: Callable[[float], str],
) -> tuple[Figure, Any]:
    names = [shorten(name, 34) for name in features]
    looks = split_looks(features, values, linewidth=6)
    left, width, top = EDGE + text_width(names) + 0.1, 3.6, EDGE + TITLE_HEIGHT
    high = (_BAR + 0.08 * len(values)) * len(names)
    figure = new_figure(left + width + 0.6, top + high + 0.75, title)
    ax = place_axes(figure, left, top, width, high)
    thick = 0.8 / len(values)
    for number, (each, look) in enumerate(
        zip(values.values(), looks.values(), strict=True)
    ):
        places = np.arange(len(names)) + (number - (len(values) - 1) / 2) * thick
        known = np.array([value or 0.0 for value in each])
        ax.barh(places, np.minimum(known, most), thick * 0.9, color=look["color"])
        for place, value in zip(places, known, strict=True):
            if value > most:
                _write_beyond(ax, most, place, write(value))
    label_rows(ax, names)
    light_grid(ax)
    ax.set_xlim(0, most)
    place_legend(figure, left, top + high + 0.62, looks)
    return figure, ax


def _write_beyond(ax: Any, most: float, place: float, text: str) -> None:
    """Writes the number of a bar that is cut off next to its end."""
    ax.annotate(
        text,
        (most, place),
        xytext=(4, 0),
        textcoords="offset points",
        size=NUMBER,
        va="center_baseline",
    )
