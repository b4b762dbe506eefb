"""The answer of a comparison: is HoME better than the others?"""

from collections.abc import Iterator
from textwrap import fill

import numpy as np

from home_tf.lab.comparison.statistics import Estimate
from home_tf.lab.comparison.summary import Row, Summary

WIDTH = 80


def answer(summary: Summary) -> str:
    """Writes in plain text, 80 columns wide, which models HoME beats.

    Args:
        summary: The comparison.

    Returns:
        A line for each other model and metric, and what the intervals do not cover.
    """
    if summary.too_short:
        return fill(too_short(summary), WIDTH)
    others = [row for row in summary.rows if row is not summary.home]
    if not others:
        return "There is nothing to compare HoME with."
    width = max(len(row.model.name) for row in others)
    lines = [f"HoME against, {_tasks(summary)}:"]
    for row in others:
        for i, metric in enumerate(summary.plan.metrics):
            name = "" if i else row.model.name
            label = metric.upper().ljust(max(map(len, summary.plan.metrics)))
            found = difference_to(summary, row, metric)
            lines.append(f"  {name:{width}}  {label} {found}")
    notes = [fill(note, WIDTH) for note in _notes(summary)]
    return "\n".join([*lines, "", *notes])


def _tasks(summary: Summary) -> str:
    count = len(summary.monitored)
    if count == 1:
        return summary.tasks[summary.monitored[0]]
    suffix = " of `training.monitor_tasks`" if summary.monitors_some else ""
    return f"mean over {count} tasks{suffix}"


def too_short(summary: Summary) -> str:
    """Explains why no differences are reported."""
    return (
        f"Too short to compare. {', '.join(summary.too_short)}: the mean AUC is not "
        "above that of ranking by a single feature, by the rate of positives of its "
        "value in the training rows. Differences between models that have learnt so "
        "little mean nothing and are left out. Train longer, in smaller batches, or on "
        "more rows."
    )


def difference_to(summary: Summary, other: Row, metric: str) -> str:
    """HoME's mean minus another's, over the monitored tasks, and a verdict."""
    mine, theirs = (
        row.results[metric].of_tasks(summary.monitored) for row in (summary.home, other)
    )
    found = mine.differences(theirs)[-1]
    seeds = int((mine.has_cell & theirs.has_cell).any(axis=0).sum())
    low, high = _interval(found)
    if np.isnan([found.value, low, high]).any():
        return "not defined"
    return f"{found.value:+.4f} [{low:+.4f}, {high:+.4f}]  {_verdict(low, high, seeds)}"


def _interval(found: Estimate) -> tuple[float, float]:
    """The interval that includes seeds, if there are several."""
    if np.isnan(found.low_with_seeds):
        return found.low, found.high
    return found.low_with_seeds, found.high_with_seeds


def _verdict(low: float, high: float, seeds: int) -> str:
    if low <= 0 <= high:
        return "no significant difference"
    word = "better" if low > 0 else "worse"
    return f"significantly {word}" if seeds > 1 else f"{word} with this seed"


def _notes(summary: Summary) -> Iterator[str]:
    plan = summary.plan
    drawn = "test rows" if plan.group_by is None else f"values of `{plan.group_by}`"
    if summary.seeds > 1:
        yield (
            f"The 95 % intervals say what other {drawn} and other seeds would "
            "have changed."
        )
    else:
        yield (
            f"One seed: the 95 % intervals say what other {drawn} would have "
            "changed, but not what another seed would have. Before you choose, run "
            "several `--seeds`."
        )
    if plan.trials == 0:
        yield (
            "Nothing was tuned: other hyper-parameters may change the order. "
            "`--trials` tunes all alike."
        )
    if summary.still_learning:
        yield (
            f"Best in the last epoch: {', '.join(summary.still_learning)}. They may "
            "learn more: give more `training.epochs`; early stopping ends them."
        )
