"""The sections on tasks: metrics, and the importance of features."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from home_tf.diagnosis.report.heat_map import Grid, draw_heat_map, losses
from home_tf.diagnosis.report.runs import Runs, named, titled
from home_tf.diagnosis.report.task_plots import draw_calibration, draw_metric
from home_tf.report.contents import Block, Plot, Section, Table
from home_tf.report.numbers import (
    UNDEFINED,
    between,
    decimal,
    percent,
    signed,
    whole,
)
from home_tf.report.style import shorten

_METRICS = {"auc": "AUC", "gauc": "GAUC"}
# The number of features that fit in a plot.
_MOST_FEATURES = 30


def importance_section(runs: Runs) -> Section:
    """Makes the section on what each task's ranking loses without a feature."""
    measured = {run: one for run, one in runs.items() if one.get("importance")}
    plots = [_importance_plot(runs, run) for run in measured]
    text = (
        "Pale and without a number: the 95% interval of the loss reaches 0."
        if measured
        else "Not measured. `home-tf diagnose --run RUN --importance` does, "
        "`--features 'user_*'` for some of the features only."
    )
    return Section(
        "importance",
        "Importance",
        "By how much AUC or GAUC of a task falls if a column of the features is "
        "shuffled among the rows.",
        [Block("", text, plots)],
    )


def _importance_plot(runs: Runs, run: str) -> Plot:
    found = runs[run]["importance"]
    metric = "gauc" if "gauc" in next(iter(found.values())) else "auc"
    grid = _importance_grid(found, metric)
    known = [x for each in found.values() for x in each[metric].values() if x]
    largest = max((one["loss"] for one in known if one["low"] > 0), default=0.0)
    title = titled(runs, run, f"loss of {_METRICS[metric]} without a feature")
    if len(grid.rows) < len(found):
        title += f", the {len(grid.rows)} most important of {len(found)}"
    return Plot(
        named(runs, run, "importance"),
        f"Heat map of {title}: features by tasks",
        partial(draw_heat_map, grid, losses(largest), title),
        [
            _importance_table(titled(runs, run, f"loss of {label}"), found, name)
            for name, label in _METRICS.items()
            if name in next(iter(found.values()))
        ],
    )


def _importance_grid(found: Mapping[str, Any], metric: str) -> Grid:
    first = dict(list(found.items())[:_MOST_FEATURES])
    tasks = next(iter(found.values()))[metric]
    rows = {
        name: {
            task: None if one is None else one["loss"]
            for task, one in each[metric].items()
        }
        for name, each in first.items()
    }
    grid = Grid.of(rows, {task: shorten(task) for task in tasks})
    faint = [
        [one is None or one["low"] <= 0 for one in each[metric].values()]
        for each in first.values()
    ]
    return Grid(grid.rows, grid.columns, grid.values, faint=np.array(faint))


def _importance_table(caption: str, found: Mapping[str, Any], metric: str) -> Table:
    rows = [
        [name, *(_loss(one) for one in each[metric].values())]
        for name, each in found.items()
    ]
    return Table(caption, ["feature", *next(iter(found.values()))[metric]], rows)


def _loss(one: Mapping[str, float] | None) -> str:
    if one is None:
        return UNDEFINED
    return f"{signed(one['loss'])} ({signed(one['low'])} to {signed(one['high'])})"


def task_section(runs: Runs) -> Section:
    """Makes the section on how well each task is ranked and calibrated."""
    tasks = list(
        dict.fromkeys(t for one in runs.values() for t in one["metrics"]["auc"])
    )
    rankings = [
        Plot(
            metric,
            f"{label} of each task with its 95% interval",
            partial(draw_metric, runs, metric, label),
        )
        for metric, label in _METRICS.items()
        if all(metric in one["metrics"] for one in runs.values())
    ]
    calibration = Plot(
        "calibration",
        "Predicted and observed rates of each task",
        partial(draw_calibration, runs, tasks, "Calibration"),
        [_calibration_table(runs, run) for run in runs],
    )
    return Section(
        "tasks",
        "Tasks",
        "How well each task is ranked and calibrated on these rows.",
        [
            Block(
                "Ranking",
                "With 95% intervals. If a task has only tens of positives, trust the "
                "intervals, not the point estimates.",
                rankings,
                [_task_table(runs, run) for run in runs],
            ),
            Block(
                "Calibration",
                "A point for each tenth of the rows, by rising prediction, with its "
                "95% interval. On the dashed line predictions are right; above it "
                "they are too low. Hollow at the bottom: no positives.",
                [calibration],
            ),
        ],
    )


def _task_table(runs: Runs, run: str) -> Table:
    metrics = runs[run]["metrics"]
    groups = {t: g for g, tasks in runs[run]["task_groups"].items() for t in tasks}
    known = [metric for metric in _METRICS if metric in metrics]
    columns = ["task", "group", "rows", "positives"]
    columns += [x for m in known for x in (_METRICS[m], f"95% of {_METRICS[m]}")]
    rows = []
    for task in metrics["auc"]:
        row = [task, groups.get(task, UNDEFINED)]
        row += [whole(metrics[name][task]) for name in ("examples", "positives")]
        for metric in known:
            ends = (metrics.get(f"{metric}_interval") or {}).get(task)
            row += [decimal(metrics[metric][task]), between(ends)]
        rows.append([*row, decimal(metrics["log_loss"][task], 4)])
        rows[-1].append(decimal(metrics["calibration"][task], 2))
    columns += ["log loss", "predicted / observed"]
    return Table(titled(runs, run, "tasks"), columns, rows, words=[1])


def _calibration_table(runs: Runs, run: str) -> Table:
    rows = [
        [
            task,
            str(number),
            whole(one["rows"]),
            percent(one["predicted"]),
            percent(one["observed"]),
            f"{percent(one['low'])} to {percent(one['high'])}",
        ]
        for task, bins in runs[run]["calibration_curves"].items()
        for number, one in enumerate(bins, 1)
    ]
    columns = ["task", "bin", "rows", "predicted", "observed", "95% of observed"]
    return Table(titled(runs, run, "calibration"), columns, rows)
