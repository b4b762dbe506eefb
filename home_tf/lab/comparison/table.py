"""The results as Markdown."""

from collections.abc import Sequence

import numpy as np

from home_tf.lab.comparison.cell import METRICS
from home_tf.lab.comparison.statistics import Estimate
from home_tf.lab.comparison.summary import Row, Summary


def markdown_table(summary: Summary) -> str:
    """Writes the tables of a comparison.

    Args:
        summary: The comparison.

    Returns:
        Markdown: means over the tasks with the cost of each architecture; AUC and GAUC
        of each task; their differences to the best baseline; the anomalies of the
        experts; what made the cells; the missing cells.
    """
    opponent = summary.opponent
    parts = ["# Comparison"]
    if summary.too_short:
        parts.append(_too_short(summary))
    parts += [_protocol(summary), _means(summary)]
    for metric in METRICS:
        parts.append(f"## {metric.upper()} of each task")
        estimates = [(row, row.results[metric].estimates()) for row in summary.rows]
        parts.append(_by_task(summary, estimates, signed=False))
        differences = [
            (row, row.results[metric].differences(opponent.results[metric]))
            for row in summary.rows
            if row is not opponent
        ]
        if summary.too_short:
            continue
        parts.append(f"## {metric.upper()} of each task, minus {_name(opponent)}")
        parts.append(_by_task(summary, differences, signed=True))
    parts += ["## Anomalies of the experts", _anomalies(summary)]
    missing = [
        f"- {cell}: {why}" for row in summary.rows for cell, why in row.errors.items()
    ]
    made_by = [f"- {count} by {origin}" for origin, count in summary.origins.items()]
    parts += ["## What made the cells", "\n".join(made_by) or "There are none."]
    if missing:
        parts += ["## Missing cells", "\n".join(missing)]
    return "\n\n".join(parts) + "\n"


def _too_short(summary: Summary) -> str:
    names = ", ".join(summary.too_short).replace("*", r"\*")
    return (
        f"**Too short to compare.** {names}: the mean AUC is not above that of ranking "
        "by popularity, the rate of positives of one feature's value in the training "
        "rows. Differences between networks that have learnt so little mean nothing "
        "and are left out. Train longer, or on more rows."
    )


def _protocol(summary: Summary) -> str:
    plan = summary.plan
    tests = ", ".join(str(test) for _, test in plan.folds)
    return (
        f"Test days {tests}; budget {plan.budget}; {plan.trials} trials of tuning, "
        f"of {plan.tuning_seeds} trainings each, on {plan.folds[0][0]}. "
        "Values are means over folds and seeds, with 95 % intervals of a bootstrap "
        f"over users ({plan.replicates} draws); a dash is a metric that is not "
        "defined. Differences are paired; those in % have a second "
        "interval, of a bootstrap over users and seeds. Monitored tasks, those "
        "of `training.monitor_tasks`, have enough positives a day to tell networks "
        f"apart: {', '.join(summary.tasks[i] for i in summary.monitored)}."
    )


def _means(summary: Summary) -> str:
    opponent = summary.opponent
    header = [
        "architecture",
        "mean AUC",
        "mean GAUC",
        "SD of GAUC over seeds",
        f"GAUC, % over {_name(opponent)}",
        f"of monitored tasks, % over {_name(opponent)}",
        "parameters",
        "FLOPs an example",
        "examples/s",
        "cells",
    ]
    lines = [_line(header), _line(["---"] + ["---:"] * (len(header) - 1))]
    for row in summary.rows:
        means = [_with_interval(row.results[m].estimates()[-1]) for m in METRICS]
        lines.append(
            _line(
                [
                    _name(row),
                    *means,
                    _number(row.results["gauc"].seed_deviation(), 4),
                    *_relatives(row, summary),
                    _integer(row.params),
                    _integer(row.flops),
                    _integer(row.examples_per_second),
                    f"{len(row.contents)} of {len(row.contents) + len(row.errors)}",
                ]
            )
        )
    return "\n".join(lines)


def _relatives(row: Row, summary: Summary) -> tuple[str, str]:
    if summary.too_short:
        return "-", "-"
    opponent = summary.opponent
    monitored = _relative(row, opponent, tasks=summary.monitored)
    return _relative(row, opponent), monitored


def _relative(row: Row, opponent: Row, tasks: list[int] | None = None) -> str:
    if row is opponent:
        return ""
    mine, other = row.results["gauc"], opponent.results["gauc"]
    if tasks is not None:
        mine, other = mine.of_tasks(tasks), other.of_tasks(tasks)
    level = other.estimates()[-1].value
    if not level > 0:
        return "-"
    found = mine.differences(other)[-1]
    percent = found.scaled(100 / level)
    text = _with_interval(percent, digits=2, signed=True)
    with_seeds = (percent.low_with_seeds, percent.high_with_seeds)
    return f"{text} {_interval(*with_seeds, digits=2, signed=True)}".strip()


def _by_task(
    summary: Summary, rows: Sequence[tuple[Row, list[Estimate]]], *, signed: bool
) -> str:
    header = ["task", *(_name(row) for row, _ in rows)]
    lines = [_line(header), _line(["---"] + ["---:"] * len(rows))]
    for i, name in enumerate(summary.names):
        cells = [_with_interval(found[i], signed=signed) for _, found in rows]
        lines.append(_line([name, *cells]))
    return "\n".join(lines)


def _anomalies(summary: Summary) -> str:
    """In how many cells each anomaly was found: the more, the less it is chance."""
    kinds = dict.fromkeys(kind for row in summary.rows for kind in row.verdicts)
    if not kinds:
        return "There are no experts."
    header = ["architecture", *(kind.replace("_", " ") for kind in kinds)]
    lines = [_line(header), _line(["---"] + ["---:"] * len(kinds))]
    for row in summary.rows:
        found = [row.verdicts.get(kind) for kind in kinds]
        counts = ["-" if one is None else f"{one[0]} of {one[1]}" for one in found]
        lines.append(_line([_name(row), *counts]))
    explained = (
        "Cells whose best epoch has the anomaly on the test day, of those that could; "
        "each cell's `experts.json` has the figures and what to try next."
    )
    return "\n".join([explained, "", *lines])


def _with_interval(found: Estimate, *, digits: int = 4, signed: bool = False) -> str:
    value = _number(found.value, digits, signed)
    return f"{value} {_interval(found.low, found.high, digits, signed)}".strip()


def _interval(low: float, high: float, digits: int, signed: bool) -> str:
    if np.isnan([low, high]).any():
        return ""
    return f"[{_number(low, digits, signed)}, {_number(high, digits, signed)}]"


def _number(value: float, digits: int, signed: bool = False) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def _integer(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _name(row: Row) -> str:
    # A star would begin italics.
    return row.contender.name.replace("*", r"\*")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
