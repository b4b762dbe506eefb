"""The metrics of each day, as a table and as curves."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from home_tf.evaluation import mean_of_defined
from home_tf.files import write_text
from home_tf.prepare.days import to_day

# With fewer positives, the metric of a day says little.
_FEW = 20


@dataclass(frozen=True)
class Day:
    """The metrics of a model on a day, trained on the days before it.

    Attributes:
        day: The day, such as 20220505.
        mean: `{metric: value}`, the means of `auc` and, with groups, `gauc` over the
            monitored tasks; None if no task has one.
        tasks: `{task: {"examples": ..., "positives": ..., "auc": ..., "gauc": ...}}`.
    """

    day: int
    mean: dict[str, float | None]
    tasks: dict[str, dict[str, Any]]

    @classmethod
    def of(
        cls, day: int, metrics: Mapping[str, Any], monitored: Sequence[str] | None
    ) -> "Day":
        """Makes a day from the result of `evaluate_tasks`.

        Args:
            day: The day.
            metrics: Its metrics.
            monitored: The tasks to average over; by default all.
        """
        names = [name for name in ("auc", "gauc") if name in metrics]
        columns = ["examples", "positives", *names]
        tasks = list(metrics["auc"])
        return cls(
            day=day,
            mean={n: _mean([metrics[n][t] for t in monitored or tasks]) for n in names},
            tasks={t: {c: metrics[c][t] for c in columns} for t in tasks},
        )

    def describe(self) -> str:
        """Describes the day in one line, with the means."""
        rows = max(values["examples"] for values in self.tasks.values())
        means = "  ".join(f"{n.upper()} {_shown(x)}" for n, x in self.mean.items())
        return f"{self.day}  {means}  ({rows:,} rows)"


def write_results(out: Path, days: Sequence[Day]) -> None:
    """Writes `days.csv` and `days.png`.

    Args:
        out: The folder.
        days: The measured days.
    """
    write_text(out / "days.csv", _table(days))
    _curves(days).savefig(out / "days.png", dpi=120)


def _table(days: Sequence[Day]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(days[0].mean)
    writer.writerow(["day", "task", "examples", "positives", *names])
    for day in days:
        for task, values in day.tasks.items():
            writer.writerow([day.day, task, *(_cell(x) for x in values.values())])
        means = [_cell(day.mean[name]) for name in names]
        writer.writerow([day.day, "mean", "", "", *means])
    return text.getvalue()


def _curves(days: Sequence[Day]) -> Figure:
    """Draws a panel per metric: a line per task, and a thick one for the mean."""
    names = list(days[0].mean)
    figure = Figure(figsize=(5.5 * len(names), 4.2), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    places = range(len(days))
    for axis, name in zip(axes, names, strict=True):
        for task in days[0].tasks:
            of_task = [day.tasks[task] for day in days]
            values = [x[name] if _has_enough(x) else None for x in of_task]
            axis.plot(places, _numbers(values), lw=1, marker=".", label=task)
        means = _numbers([day.mean[name] for day in days])
        axis.plot(places, means, lw=2.5, color="black", marker="o", label="mean")
        axis.set_title(name.upper())
        step = max(1, len(days) // 6)
        axis.set_xticks(places[::step], [_short(one.day) for one in days[::step]])
        axis.set_xlabel("day, predicted before it was trained on")
        axis.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _has_enough(values: Mapping[str, Any]) -> bool:
    # A regression task has no positives, so every label counts.
    number = values["positives"]
    return bool((values["examples"] if number is None else number) >= _FEW)


def _mean(values: Sequence[float | None]) -> float | None:
    mean = float(mean_of_defined(_numbers(values)))
    return None if mean != mean else mean


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _short(day: int) -> str:
    return f"{to_day(day):%-d %b}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else value
