"""The metrics of a split as a table for the terminal, 80 columns wide."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def metrics_table(metrics: Mapping[str, Any], *, title: str) -> Table:
    """Makes the table of a split.

    Args:
        metrics: What `evaluate_tasks` returns.
        title: Name of the split.

    Returns:
        A row a task: positives, AUC and GAUC with their 95 % intervals, log loss and
        calibration; undefined values are shown as "-".
    """
    table = Table(title=title, title_justify="left")
    table.add_column("task", no_wrap=True)
    for name in ("pos.", "AUC [95 %]", "GAUC [95 %]", "loss", "cal."):
        table.add_column(name, justify="right", no_wrap=True)
    for task in metrics["auc"]:
        table.add_row(
            task,
            f"{metrics['positives'][task]:,}",
            _with_interval(metrics, "auc", task),
            _with_interval(metrics, "gauc", task),
            _number(metrics["log_loss"][task]),
            _three_digits(metrics["calibration"][task]),
        )
    means = (_number(metrics["mean_auc"]), _number(metrics["mean_gauc"]))
    table.add_section()
    table.add_row("mean", "", *(f"{mean}          " for mean in means), "", "")
    return table


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
