"""Tables of the metrics of a split, for the terminal, 80 columns wide."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def metrics_table(metrics: Mapping[str, Any], *, title: str) -> Table:
    """Makes the table of the metrics of a split.

    Args:
        metrics: What `evaluate_tasks` returns.
        title: Name of the split.

    Returns:
        One row per task: positives, AUC and, if there are groups, GAUC with 95 %
        intervals, log loss and calibration. Undefined values are shown as "-", and so
        are the positives and the log loss of regression tasks.
    """
    ranking = [name for name in ("auc", "gauc") if name in metrics]
    table = Table(title=title, title_justify="left", caption=_caption(metrics))
    table.add_column("task", no_wrap=True)
    intervals = [f"{name.upper()} [95 %]" for name in ranking]
    for name in ("pos.", *intervals, "loss", "cal."):
        table.add_column(name, justify="right", no_wrap=True)
    for task in metrics["auc"]:
        table.add_row(
            task,
            _count(metrics["positives"][task]),
            *(_with_interval(metrics, name, task) for name in ranking),
            _number(metrics["log_loss"][task]),
            _three_digits(metrics["calibration"][task]),
        )
    means = [f"{_number(metrics[f'mean_{name}'])}          " for name in ranking]
    table.add_section()
    table.add_row("mean", "", *means, "", "")
    return table


def errors_table(metrics: Mapping[str, Any], *, title: str) -> Table | None:
    """Makes the table of the regression tasks of a split; None if there are none.

    Args:
        metrics: What `evaluate_tasks` returns.
        title: Name of the split.

    Returns:
        One row per task: the number of labelled rows, and MAE and RMSE in the unit of
        the labels.
    """
    if "mae" not in metrics:
        return None
    table = Table(title=f"{title}, errors", title_justify="left")
    table.add_column("task", no_wrap=True)
    for name in ("rows", "MAE", "RMSE"):
        table.add_column(name, justify="right", no_wrap=True)
    for task, rows in metrics["examples"].items():
        values = [metrics[name][task] for name in ("mae", "rmse")]
        if metrics["log_loss"][task] is None and metrics["positives"][task] is None:
            table.add_row(task, _count(rows), *map(_three_digits, values))
    return table


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _caption(metrics: Mapping[str, Any]) -> str | None:
    rows = metrics.get("rows_without_group")
    return f"{rows:,} rows have no group, and do not count in GAUC" if rows else None


def _with_interval(metrics: Mapping[str, Any], name: str, task: str) -> str:
    low, high = metrics[f"{name}_interval"][task] or (None, None)
    value = _number(metrics[name][task])
    return f"{value} [{_short(low)} {_short(high)}]"


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _three_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.3g}"


def _short(value: float | None) -> str:
    if value is None:
        return "  -"
    return "1.0" if value >= 0.995 else f"{value:.2f}".removeprefix("0")
