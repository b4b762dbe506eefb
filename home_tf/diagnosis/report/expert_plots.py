"""Plots of the outputs of experts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from home_tf.diagnosis.report.expert_names import OWNERS
from home_tf.diagnosis.verdicts import THRESHOLDS
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
    BLUE,
    GRID,
    INK,
    MUTED,
    SKY,
    VERMILLION,
    shorten,
    text_width,
)

Experts = Mapping[str, Mapping[str, Any]]

_ROW = 0.21
_FOOT = 0.75


def value_limits(runs: Sequence[Experts]) -> tuple[float, float, float]:
    """Finds the lowest and highest output to show, and where the scale is linear."""
    ends = [
        one["quantiles"][share]
        for experts in runs
        for one in experts.values()
        for share in ("1", "99")
    ]
    typical = np.median(np.abs(ends))
    linear = 10.0 ** np.floor(np.log10(typical)) if typical > 0 else 1.0
    low, high = min(*ends, 0.0), max(*ends, 0.0)
    margin = 0.08 * (high - low) or 1.0
    return float(low - margin), float(high + margin), float(linear)


def draw_outputs(
    experts: Experts, limits: tuple[float, float, float], title: str, width: float
) -> Figure:
    """Draws the distribution of each expert's outputs, and how many are zero.

    Args:
        experts: The figures of the experts.
        limits: What `value_limits` returns.
        title: The title.
        width: Width of the distributions, in inches.

    Returns:
        The figure.
    """
    names = [shorten(name) for name in experts]
    left, high = EDGE + text_width(names) + 0.1, _ROW * len(names)
    right = left + width + 0.25
    top = EDGE + TITLE_HEIGHT
    figure = new_figure(right + 1.1 + 0.25, top + high + _FOOT, title)
    outputs = place_axes(figure, left, top, width, high)
    draw_boxes(outputs, experts, limits)
    label_rows(outputs, names)
    zeros = place_axes(figure, right, top, 1.1, high)
    draw_zeros(zeros, experts)
    label_rows(zeros, [""] * len(names))
    outputs.set_xlabel("output")
    zeros.set_xlabel("share")
    place_legend(figure, right - 0.85, top + high + _FOOT - 0.12, ZEROS_LEGEND)
    return figure


ZEROS_LEGEND = {
    "zeros": {"color": SKY, "linewidth": 6, "solid_capstyle": "butt"},
    "dead dimensions": {
        "color": VERMILLION,
        "marker": "D",
        "markersize": 5,
        "linestyle": "none",
    },
}


def draw_boxes(
    ax: Any,
    experts: Experts,
    limits: tuple[float, float, float],
    *,
    upright: bool = False,
) -> None:
    """Draws a box with whiskers for each expert, at 0, 1, 2 and so on."""
    low, high, linear = limits
    places = np.arange(len(experts))
    values = {
        share: np.array([one["quantiles"][share] for one in experts.values()])
        for share in ("1", "5", "25", "50", "75", "95", "99")
    }
    lines = ax.vlines if upright else ax.hlines
    lines(places, values["1"], values["99"], color=MUTED, linewidth=0.8)
    lines(places, values["5"], values["95"], color=SKY, linewidth=3)
    lines(places, values["25"], values["75"], color=BLUE, linewidth=7)
    middles = (places, values["50"]) if upright else (values["50"], places)
    ax.plot(*middles, "o", color="#ffffff", markeredgecolor=INK, markersize=4)
    set_scale, set_limits = (
        (ax.set_yscale, ax.set_ylim) if upright else (ax.set_xscale, ax.set_xlim)
    )
    set_scale("symlog", linthresh=linear)
    set_limits(low, high)
    _name_powers(ax.yaxis if upright else ax.xaxis, limits)
    light_grid(ax, "y" if upright else "x")
    (ax.axhline if upright else ax.axvline)(0, color=MUTED, linewidth=0.8)


def _name_powers(axis: Any, limits: tuple[float, float, float]) -> None:
    """Sets ticks at zero and at powers of ten; few, because their names must fit."""
    low, high, linear = limits
    first = round(np.log10(linear))
    powers = [10.0**p for p in range(first, first + 12)]
    powers = [x for x in powers if x <= max(-low, high)] or [linear]
    powers = powers[:: 1 + len(powers) // 4]
    ticks = [-x for x in reversed(powers) if -x >= low]
    ticks += [0.0, *(x for x in powers if x <= high)]
    axis.set_ticks(ticks, [f"{x:g}".replace("-", "\N{MINUS SIGN}") for x in ticks])
    axis.set_ticks([], minor=True)


def draw_zeros(ax: Any, experts: Experts, *, upright: bool = False) -> None:
    """Draws how many outputs of each expert are zero, and how many always are."""
    places = np.arange(len(experts))
    zeros = [one["zeros"] for one in experts.values()]
    dead = [one["dead_dimensions"] for one in experts.values()]
    (ax.bar if upright else ax.barh)(places, zeros, 0.62, color=SKY)
    marks = (places, dead) if upright else (dead, places)
    ax.plot(*marks, "D", color=VERMILLION, markersize=4, clip_on=False, zorder=3)
    axis = ax.yaxis if upright else ax.xaxis
    axis.set_ticks([0, 0.5, 1], ["0%", "50%", "100%"])
    (ax.set_ylim if upright else ax.set_xlim)(0, 1)
    light_grid(ax, "y" if upright else "x")


def draw_traits(experts: Experts, title: str, width: float) -> Figure:
    """Draws effective rank, gradient norm and similarity of each expert.

    Args:
        experts: The figures of the experts.
        title: The title.
        width: Width of each of the three, in inches.

    Returns:
        The figure.
    """
    traits = {
        trait: label
        for trait, label in (
            ("effective_rank", "effective rank"),
            ("gradient_norm", "gradient norm"),
            ("similarity", "similarity"),
        )
        if any(one[trait] is not None for one in experts.values())
    }
    names = [shorten(name) for name in experts]
    left, high = EDGE + text_width(names) + 0.1, _ROW * len(names)
    top = EDGE + TITLE_HEIGHT
    figure = new_figure(
        left + (width + 0.25) * len(traits) + 0.05, top + high + _FOOT, title
    )
    for number, (trait, label) in enumerate(traits.items()):
        ax = place_axes(figure, left + number * (width + 0.25), top, width, high)
        _draw_trait(ax, experts, trait)
        label_rows(ax, names if number == 0 else [""] * len(names))
        ax.set_xlabel(label)
    owners = {one["owner"] for one in experts.values()}
    legend = {
        owner: {"color": color, "linewidth": 6, "solid_capstyle": "butt"}
        for owner, color in OWNERS.items()
        if owner in owners
    }
    if len(legend) > 1:
        place_legend(figure, left, top + high + _FOOT - 0.12, legend)
    return figure


def _draw_trait(ax: Any, experts: Experts, trait: str) -> None:
    for place, one in enumerate(experts.values()):
        if one[trait] is not None:
            color = OWNERS.get(one["owner"], MUTED)
            ax.barh(place, one[trait], 0.62, color=color)
    light_grid(ax)
    ax.locator_params(axis="x", nbins=3)
    if trait == "similarity":
        ax.set_xlim(0, 1)
        limit = THRESHOLDS["similarity"]
        ax.axvline(limit, color=VERMILLION, linewidth=1, linestyle="--")
        ax.set_xticks([0, 0.5, limit], ["0", "0.5", f"{limit:g}"])


def draw_sources(tasks: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Draws whose experts the representation of each task comes from.

    Args:
        tasks: `{task: {owner: share}}`.
        title: The title.

    Returns:
        The figure.
    """
    names = [shorten(name) for name in tasks]
    left, high, width = EDGE + text_width(names) + 0.1, 0.27 * len(names), 3.4
    top = EDGE + TITLE_HEIGHT
    owners = ["task", "group", "shared"]
    owners = [one for one in owners if any(task[one] > 0 for task in tasks.values())]
    figure = new_figure(left + width + 0.3, top + high + 0.62, title)
    ax = place_axes(figure, left, top, width, high)
    for place, task in enumerate(tasks.values()):
        start = 0.0
        for owner in owners:
            _draw_part(ax, place, start, task[owner], OWNERS[owner])
            start += task[owner]
    label_rows(ax, names)
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    ax.spines[:].set_visible(False)
    ax.tick_params(axis="x", color=GRID)
    names_of_owners = {"task": "its own", "group": "its group's", "shared": "shared"}
    legend = {
        names_of_owners[owner]: {
            "color": OWNERS[owner],
            "linewidth": 6,
            "solid_capstyle": "butt",
        }
        for owner in owners
    }
    place_legend(figure, left, top + high + 0.5, legend)
    return figure


def _draw_part(ax: Any, place: int, start: float, share: float, color: str) -> None:
    # A thin gap between the parts, whatever the colours of the page.
    ax.barh(place, max(share - 0.004, 0), 0.74, start, color=color)
    if share >= 0.09:
        ax.text(
            start + share / 2,
            place,
            f"{share:.0%}",
            color="#ffffff" if color == BLUE else "#111111",
            size=7.5,
            ha="center",
            va="center_baseline",
        )
