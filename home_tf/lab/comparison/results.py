"""Writes the results of a comparison: CSV, JSON, Markdown and plots."""

import csv
from collections.abc import Sequence
from pathlib import Path

from home_tf.files import atomic_file, write_json, write_text
from home_tf.lab.comparison.answer import answer
from home_tf.lab.comparison.plan import Plan
from home_tf.lab.comparison.plots import write_plots
from home_tf.lab.comparison.summary import Summary, summarize
from home_tf.lab.comparison.table import markdown_table
from home_tf.lab.comparison.training import Training

KEYS = ("architecture", "variant", "fold", "seed", "task")
COSTS = ("params", "examples_per_second")


def write_results(plan: Plan, trainings: Sequence[Training]) -> str:
    """Writes `trainings.csv`, `summary.json`, `table.md` and the plots.

    Args:
        plan: The settings of the comparison.
        trainings: All trainings, finished or not; their folder is where the files go.

    Returns:
        Which models HoME beats, in plain text.
    """
    out = trainings[0].out
    summary = summarize(plan, trainings)
    _write_trainings(summary, out / "trainings.csv")
    write_json(out / "summary.json", summary.to_json())
    write_text(out / "table.md", markdown_table(summary))
    write_plots(summary, out)
    return answer(summary)


def _write_trainings(summary: Summary, file: Path) -> None:
    """A line for each training and task; an undefined metric is empty."""
    with (
        atomic_file(file) as partial,
        partial.open("w", newline="", encoding="utf-8") as opened,
    ):
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow([*KEYS, *summary.plan.metrics, *COSTS])
        for row in summary.rows:
            for (fold, seed), content in sorted(row.contents.items()):
                speed = content["examples_per_second"]
                for task in summary.tasks:
                    writer.writerow(
                        [
                            row.model.architecture,
                            row.model.variant,
                            fold,
                            seed,
                            task,
                            *(_rounded(content[m][task]) for m in summary.plan.metrics),
                            content["params"],
                            "" if speed is None else round(speed, 1),
                        ]
                    )


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(value, 6)
