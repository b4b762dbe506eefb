"""The plots of a comparison."""

from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import TABLEAU_COLORS
from matplotlib.figure import Figure

from home_tf.evaluation import mean_of_defined
from home_tf.lab.comparison.statistics import Estimate
from home_tf.lab.comparison.summary import MEAN, Row, Summary


def write_plots(summary: Summary, out: Path) -> None:
    """Writes `gains.png`, `differences.png`, `quality.png` and `learning_curves.png`.

    Args:
        summary: The comparison.
        out: The folder.
    """
    for name, figure in (
        ("gains", _too_short() if summary.too_short else _gains(summary)),
        ("differences", _too_short() if summary.too_short else _differences(summary)),
        ("quality", _quality(summary)),
        ("learning_curves", _learning_curves(summary)),
    ):
        figure.savefig(out / f"{name}.png", dpi=120)


def _too_short() -> Figure:
    """Draws a placeholder for meaningless differences."""
    figure = Figure(figsize=(6, 2))
    text = "Too short to compare: see table.md"
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def _gains(summary: Summary) -> Figure:
    """Draws bars of HoME minus the best baseline; rare tasks have their own scale."""
    other = summary.best_baseline or next(iter(_others(summary)), None)
    rare = summary.rare_tasks
    dense = [name for name in summary.tasks if name not in rare]
    panels = [dense, [*rare, MEAN]] if dense and rare else [summary.names]
    heights = [len(names) for names in panels]
    figure = Figure(figsize=(10, 2 + 0.35 * sum(heights)), layout="constrained")
    metrics = summary.plan.metrics
    axes = figure.subplots(
        len(panels), len(metrics), sharey="row", squeeze=False, height_ratios=heights
    )
    for column, metric in enumerate(metrics):
        found = dict(zip(summary.names, _minus(summary, other, metric), strict=False))
        for names, row in zip(panels, axes, strict=True):
            _bars(row[column], [(n, found[n]) for n in names if n in found])
            row[column].locator_params(axis="x", nbins=5)
        axes[0][column].set_title(metric.upper())
        axes[-1][column].set_xlabel(
            f"home minus {other.model.name}" if other else "nothing to compare with"
        )
    for row in axes:
        row[0].invert_yaxis()
    return figure


def _minus(summary: Summary, other: Row | None, metric: str) -> list[Estimate]:
    if other is None:
        return []
    return summary.home.results[metric].differences(other.results[metric])


def _others(summary: Summary) -> list[Row]:
    return [row for row in summary.rows if row is not summary.home and row.contents]


def _bars(ax: Any, found: list[tuple[str, Estimate]]) -> None:
    for i, (name, one) in enumerate(found):
        if np.isnan(one.value):
            ax.text(0, i, " not defined", va="center")
            continue
        color = "tab:orange" if name == MEAN else "tab:blue"
        ax.barh(i, one.value, color=color, height=0.6)
        ax.hlines(i, one.low, one.high, color="black", linewidth=1.2)
    ax.axvline(0, color="grey", linewidth=0.8)
    ax.set_yticks(range(len(found)), [name for name, _ in found])
    ax.margins(y=0.02)


def _differences(summary: Summary) -> Figure:
    """Draws HoME minus each other model, one panel per task that is not rare.

    The thick line is the interval over test rows, or users, and the thin one also
    covers seeds. If the thick one excludes zero, both are blue, or orange if HoME is
    behind.
    """
    others = _others(summary)
    tasks = [name for name in summary.tasks if name not in summary.rare_tasks]
    tasks = tasks or summary.tasks
    height = (1 + 0.22 * len(others)) * len(summary.plan.metrics)
    size = (max(4.0, 1.5 + 1.9 * len(tasks)), height)
    figure = Figure(figsize=size, layout="constrained")
    metrics = summary.plan.metrics
    axes = figure.subplots(len(metrics), len(tasks), sharey=True, squeeze=False)
    for metric, row in zip(metrics, axes, strict=True):
        for i, other in enumerate(others):
            found = dict(
                zip(summary.names, _minus(summary, other, metric), strict=True)
            )
            for ax, task in zip(row, tasks, strict=True):
                one = found[task]
                ahead, behind = one.low > 0, one.high < 0
                color = "tab:blue" if ahead else "tab:orange" if behind else "tab:grey"
                ax.hlines(i, one.low_with_seeds, one.high_with_seeds, color, lw=1)
                ax.hlines(i, one.low, one.high, color, lw=3)
                ax.plot(one.value, i, "o", color=color, ms=5)
        for ax, task in zip(row, tasks, strict=True):
            ax.axvline(0, color="black", linewidth=0.8)
            ax.set_title(task)
            ax.locator_params(axis="x", nbins=3)
            ax.tick_params(axis="x", labelsize="small")
            ax.grid(alpha=0.3)
        row[0].set_ylabel(f"{metric.upper()}: home minus")
    axes[0][0].set_yticks(range(len(others)), [row.model.name for row in others])
    axes[0][0].set_ylim(max(len(others), 1) - 0.5, -0.5)
    return figure


def _quality(summary: Summary) -> Figure:
    """Draws the main metric with intervals next to parameters, the best first."""
    metric = summary.plan.main_metric
    known = [
        (row, row.results[metric].estimates()[-1])
        for row in summary.rows
        if row.params is not None
    ]
    known = [(row, mean) for row, mean in known if not np.isnan(mean.value)]
    known.sort(key=lambda one: -one[1].value)
    panels = {f"mean {metric.upper()} over the tasks": [*range(len(summary.tasks))]}
    if summary.monitors_some:
        panels[f"mean {metric.upper()}, monitored tasks"] = summary.monitored
    figure = Figure(figsize=(10, 1.5 + 0.28 * len(known)), layout="constrained")
    *means, params_ax = figure.subplots(
        1, len(panels) + 1, sharey=True, width_ratios=[3] * len(panels) + [2]
    )
    for i, (row, _) in enumerate(known):
        color = "tab:orange" if row is summary.home else "tab:blue"
        for ax, tasks in zip(means, panels.values(), strict=True):
            one = row.results[metric].of_tasks(tasks).estimates()[-1]
            ax.hlines(i, one.low, one.high, color=color, alpha=0.6)
            ax.plot(one.value, i, "o", color=color)
        params_ax.plot(row.params, i, "s", color=color)
    means[0].set_yticks(range(len(known)), [row.model.name for row, _ in known])
    means[0].invert_yaxis()
    for ax, label in zip(means, panels, strict=True):
        ax.set_xlabel(label)
    params_ax.set_xlabel("parameters without tables\n(leaves of lightgbm)")
    params_ax.ticklabel_format(axis="x", style="plain")
    params_ax.locator_params(axis="x", nbins=3)
    params_ax.set_xlim(left=0)
    for ax in (*means, params_ax):
        ax.grid(alpha=0.3)
    return figure


def _learning_curves(summary: Summary) -> Figure:
    """Draws validation score and training loss over the epochs of the earliest fold."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    axes = figure.subplots(1, 2)
    labels = {
        "score": f"mean validation {summary.plan.metric.upper()}",
        "loss": "training loss",
    }
    styles = cycle(product(("-", "--", ":"), TABLEAU_COLORS))
    for row in summary.rows:
        histories = [
            content["history"]
            for (fold, _), content in row.contents.items()
            if fold == 0 and content["history"]
        ]
        if not histories:
            continue
        line, color = next(styles)
        for ax, key in zip(axes, labels, strict=True):
            ax.plot(
                _mean_curve(histories, "epoch"),
                _mean_curve(histories, key),
                f"o{line}",
                color=color,
                label=row.model.name,
                ms=3,
            )
    for ax, label in zip(axes, labels.values(), strict=True):
        ax.set_xlabel("epoch")
        ax.set_ylabel(label)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
    if axes[0].lines:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _mean_curve(histories: list[list[dict[str, float]]], key: str) -> list[float]:
    """The mean over seeds, up to the epoch that all of them reached."""
    return [
        float(mean_of_defined([epoch[key] for epoch in epochs]))
        for epochs in zip(*histories, strict=False)
    ]
