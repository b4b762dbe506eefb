"""The results as Markdown."""

from collections.abc import Sequence

import numpy as np

from home_tf.lab.comparison.answer import answer, too_short
from home_tf.lab.comparison.describe_folds import describe_folds
from home_tf.lab.comparison.statistics import Estimate
from home_tf.lab.comparison.summary import Row, Summary


def markdown_table(summary: Summary) -> str:
    """Writes the tables of a comparison.

    Args:
        summary: The comparison.

    Returns:
        Markdown: which models HoME beats; means over the tasks with the cost of each
        architecture; AUC and, with groups, GAUC of each task; their differences to the
        best baseline; the anomalies of the experts; their provenance; the missing
        trainings.
    """
    opponent = summary.opponent
    parts = ["# Comparison"]
    if summary.too_short:
        parts.append(_too_short(summary))
    else:
        parts.append(f"```text\n{answer(summary)}\n```")
    parts += [_protocol(summary), _means(summary)]
    for metric in summary.plan.metrics:
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
    if any(row.model.changes for row in summary.rows):
        parts += ["## Changes to the configuration", _changes(summary)]
    parts += ["## Anomalies of the experts", _anomalies(summary)]
    missing = [
        f"- {training}: {why}"
        for row in summary.rows
        for training, why in row.errors.items()
    ]
    provenance = [f"- {count} by {origin}" for origin, count in summary.origins.items()]
    parts += ["## Provenance", "\n".join(provenance) or "There are none."]
    if missing:
        parts += ["## Missing trainings", "\n".join(missing)]
    return "\n\n".join(parts) + "\n"


def _too_short(summary: Summary) -> str:
    first, rest = too_short(summary).replace("*", r"\*").split(". ", 1)
    return f"**{first}.** {rest}"


def _protocol(summary: Summary) -> str:
    plan, data = summary.plan, summary.plan.config.data
    has_time = data is not None and data.time is not None
    tuned = (
        f"{plan.trials} trials of tuning, of {plan.tuning_seeds} trainings each, on "
        "the validation rows of the earliest fold"
        if plan.trials
        else "no tuning"
    )
    text = (
        f"{describe_folds(plan.splits, has_time=has_time)}; budget {plan.budget}; "
        f"{tuned}. "
        "Values are means over folds and seeds, with 95 % intervals of a bootstrap "
        f"over {_drawn(summary)} ({plan.replicates} draws); a dash is a metric that is "
        "not defined. Differences are paired."
    )
    if summary.seeds > 1:
        text += " Those in % have a second interval, of a bootstrap over seeds, too."
    if not summary.monitors_some:
        return text
    monitored = ", ".join(summary.tasks[i] for i in summary.monitored)
    return (
        f"{text} Monitored tasks, those of `training.monitor_tasks`, have enough "
        f"positives to tell models apart: {monitored}."
    )


def _drawn(summary: Summary) -> str:
    group_by = summary.plan.group_by
    return "rows" if group_by is None else f"the values of `{group_by}`"


def _means(summary: Summary) -> str:
    name, metrics = _name(summary.opponent), summary.plan.metrics
    main = summary.plan.main_metric.upper()
    header = ["architecture", *(f"mean {metric.upper()}" for metric in metrics)]
    header += [f"SD of {main} over seeds", f"{main}, % over {name}"]
    if summary.monitors_some:
        header.append(f"of monitored tasks, % over {name}")
    header += ["parameters", "FLOPs an example", "examples/s", "trainings"]
    lines = [_line(header), _line(["---"] + ["---:"] * (len(header) - 1))]
    for row in summary.rows:
        means = [_with_interval(row.results[m].estimates()[-1]) for m in metrics]
        deviation = row.results[summary.plan.main_metric].seed_deviation()
        lines.append(
            _line(
                [
                    _name(row),
                    *means,
                    _number(deviation, 4),
                    *_relatives(row, summary),
                    _integer(row.params),
                    _integer(row.flops),
                    _integer(row.examples_per_second),
                    f"{len(row.contents)} of {len(row.contents) + len(row.errors)}",
                ]
            )
        )
    return "\n".join(lines)


def _relatives(row: Row, summary: Summary) -> list[str]:
    """Percentages over the opponent: of all tasks, and of the monitored ones."""
    of_tasks = [list(range(len(summary.tasks)))]
    if summary.monitors_some:
        of_tasks.append(summary.monitored)
    if summary.too_short:
        return ["-"] * len(of_tasks)
    return [_relative(row, summary, tasks) for tasks in of_tasks]


def _relative(row: Row, summary: Summary, tasks: list[int]) -> str:
    if row is summary.opponent:
        return ""
    metric = summary.plan.main_metric
    mine = row.results[metric].of_tasks(tasks)
    other = summary.opponent.results[metric].of_tasks(tasks)
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


def _changes(summary: Summary) -> str:
    """Compares each changed model with the unchanged one, and lists the changes."""
    metrics = summary.plan.metrics
    header = ["", *(f"{m.upper()} of monitored tasks" for m in metrics)]
    header += ["examples/s, times"]
    lines = [_line(header), _line(["---"] + ["---:"] * (len(header) - 1))]
    rows = {row.model: row for row in summary.rows}
    for row in summary.rows:
        before = rows.get(row.model.unchanged)
        if not row.model.changes or before is None:
            continue
        lines.append(
            _line(
                [
                    _name(row),
                    *(_gain(summary, row, before, metric) for metric in metrics),
                    _times(row.examples_per_second, before.examples_per_second),
                ]
            )
        )
    used = {n for row in summary.rows for n in row.model.changes.split("+")}
    named = [
        f"- `{name}`: " + ", ".join(f"`{key}: {value}`" for key, value in one.items())
        for name, one in summary.plan.changes.items()
        if name in used
    ]
    explained = (
        "Each minus the same model without the change. The first interval is over "
        f"{_drawn(summary)}, the second over seeds, too."
    )
    return "\n".join([explained, "", *lines, "", *named])


def _gain(summary: Summary, row: Row, before: Row, metric: str) -> str:
    mine, theirs = (
        one.results[metric].of_tasks(summary.monitored) for one in (row, before)
    )
    found = mine.differences(theirs)[-1]
    with_seeds = (found.low_with_seeds, found.high_with_seeds)
    text = _with_interval(found, signed=True)
    return f"{text} {_interval(*with_seeds, digits=4, signed=True)}".strip()


def _times(mine: float | None, theirs: float | None) -> str:
    return f"{mine / theirs:.2f}" if mine and theirs else "-"


def _anomalies(summary: Summary) -> str:
    """Counts the trainings with each anomaly: more trainings, less chance."""
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
        "Trainings whose best epoch has the anomaly on the test rows, of those that "
        "could; each training's `experts.json` has the figures and what to try next."
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
    return row.model.name.replace("*", r"\*")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
