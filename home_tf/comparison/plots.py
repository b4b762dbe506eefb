"""The plots of a comparison."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from home_tf.comparison.cell import METRICS
from home_tf.comparison.statistics import Estimate
from home_tf.comparison.summary import MEAN, Row, Summary


def write_plots(summary: Summary, out: Path) -> None:
    """Writes `gains.png`, `quality.png` and `learning_curves.png`.

    Args:
        summary: The comparison.
        out: The folder.
    """
    for name, figure in (
        ("gains", _gains(summary)),
        ("quality", _quality(summary)),
        ("learning_curves", _learning_curves(summary)),
    ):
        figure.savefig(out / f"{name}.png", dpi=120)


def _gains(summary: Summary) -> Figure:
    """Bars of HoME's gains over the best baseline, and over the other rows."""
    best = summary.best_baseline or _first_other(summary)
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for metric, ax in zip(METRICS, axes, strict=True):
        found = (
            summary.home.results[metric].differences(best.results[metric])
            if best
            else []
        )
        _bars(ax, summary.names, found)
        ax.set_title(metric.upper())
        ax.locator_params(axis="x", nbins=5)
        ax.set_xlabel(
            f"home minus {best.contender.name}" if best else "nothing to compare with"
        )
    axes[0].invert_yaxis()
    return figure


def _first_other(summary: Summary) -> Row | None:
    others = [row for row in summary.rows if row is not summary.home and row.contents]
    return others[0] if others else None


def _bars(ax: Any, names: list[str], found: list[Estimate]) -> None:
    for i, (name, one) in enumerate(zip(names, found, strict=False)):
        if np.isnan(one.value):
            ax.text(0, i, " not defined", va="center")
            continue
        color = "tab:orange" if name == MEAN else "tab:blue"
        ax.barh(i, one.value, color=color, height=0.6)
        ax.hlines(i, one.low, one.high, color="black", linewidth=1.2)
    ax.axvline(0, color="grey", linewidth=0.8)
    ax.set_yticks(range(len(names)), names)
    ax.margins(y=0.02)


def _quality(summary: Summary) -> Figure:
    """Mean GAUC against parameters, with intervals."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = figure.subplots()
    for row in summary.rows:
        mean = row.results["gauc"].estimates()[-1]
        if np.isnan(mean.value) or row.params is None:
            continue
        marker = "os^D"[len(ax.lines) % 4]  # there are only ten colours
        (line,) = ax.plot(row.params, mean.value, marker, label=row.contender.name)
        ax.vlines(row.params, mean.low, mean.high, color=line.get_color(), alpha=0.6)
    ax.set_xscale("log")
    ax.margins(x=0.15)
    ax.set_xlabel("parameters without embedding tables (leaves of lightgbm)")
    ax.set_ylabel("mean GAUC over the tasks")
    ax.grid(alpha=0.3)
    if ax.lines:
        figure.legend(loc="outside right upper", fontsize=8)
    return figure


def _learning_curves(summary: Summary) -> Figure:
    """Validation score and training loss after each epoch, of the earliest fold."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    axes = figure.subplots(1, 2)
    labels = {
        "score": f"validation {summary.plan.metric.upper()}, monitored tasks",
        "loss": "training loss",
    }
    for row in summary.rows:
        histories = [
            content["history"]
            for (fold, _), content in row.contents.items()
            if fold == 0 and content["history"]
        ]
        if not histories:
            continue
        for ax, key in zip(axes, labels, strict=True):
            means = _mean_curve(histories, key)
            ax.plot(
                range(1, len(means) + 1), means, "o-", label=row.contender.name, ms=3
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
    """The mean over the seeds that all ran to an epoch; early ends shorten it."""
    return [
        float(np.mean([epoch[key] for epoch in epochs]))
        for epochs in zip(*histories, strict=False)
    ]
